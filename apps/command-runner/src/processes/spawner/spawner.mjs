// Starts the processes of a runner, which tells it by a socket what to start and hears from it what they write and how they
// end. A program of its own because then no secret of the runner is in the parent of commands, and because a process that Node
// starts takes the longer the more memory its parent has written to. Therefore it is plain JavaScript and loads next to nothing:
// to strip types Node would load a compiler.
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { FrameReader, frame, jsonFrame, kinds } from './frames.mjs';
import { nodeSpawn } from './node-spawn.mjs';
import { posixSpawn } from './posix-spawn.mjs';

/** Descriptor of the socket to the runner. */
const runnerDescriptor = 3;
/** From how many bytes on that wait for the runner nothing more is read. */
const mostWaiting = 262_144;

/** Where those write to that have not closed all of it yet, by the runner's number. @type {Map<number, Socket[]>} */
const pipesOf = new Map();
/** Those whose output the runner does not want now. @type {Set<number>} */
const paused = new Set();
/** What ended in this turn. @type {import('./spawner.ts').Exits['ended']} */
let ended = [];
/** The runner reads slower than is written. */
let congested = false;

// They are meant for the runner, which ends us when it has ended what runs.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});

const startLightly = await posixSpawn();
const runner = new Socket({ fd: runnerDescriptor, readable: true, writable: true });
const reader = new FrameReader();
runner.on('data', (chunk) => reader.push(chunk, obey));
// A dead runner leaves what it started to the next, which finds it by its mark; nobody reads what it writes any more.
runner.on('error', () => process.exit(1));
runner.on('close', () => process.exit(0));
runner.on('end', () => process.exit(0));
runner.on('drain', () => {
  congested = false;
  for (const id of pipesOf.keys()) flow(id);
});

/** @param {Buffer[]} parts */
function tell(parts) {
  if (!runner.writableCorked) {
    runner.cork();
    process.nextTick(() => runner.uncork());
  }
  for (const part of parts) runner.write(part);
  if (congested || runner.writableLength < mostWaiting) return;
  congested = true;
  for (const id of pipesOf.keys()) flow(id);
}

/** @param {number} kind @param {number} id @param {Buffer} payload */
function obey(kind, id, payload) {
  if (kind === kinds.start) start(id, JSON.parse(payload.toString()));
  else if (kind === kinds.ping) tell(frame(kinds.pong, 0));
  else if (kind === kinds.abandon) for (const pipe of pipesOf.get(id) ?? []) pipe.destroy();
  else {
    if (kind === kinds.pause) paused.add(id);
    else paused.delete(id);
    flow(id);
  }
}

/** Read what a process writes, or leave it in its pipes so that it has to wait. @param {number} id */
function flow(id) {
  const wait = congested || paused.has(id);
  for (const pipe of pipesOf.get(id) ?? []) {
    if (wait) pipe.pause();
    else pipe.resume();
  }
}

/** @param {number} id @param {import('./spawner.ts').StartOrder} order */
function start(id, order) {
  const asked = performance.now();
  const startIt = order.uid === undefined && order.gid === undefined ? (startLightly ?? nodeSpawn) : nodeSpawn;
  /** @param {string} code */
  const failed = (code) => tell(jsonFrame(kinds.failed, id, { code }));
  /** @type {import('./node-spawn.mjs').Started | undefined} */
  let started;
  try {
    started = startIt(order, {
      failed,
      exited: (code, signal) => {
        killGroup(Number(started?.pid));
        // Whoever ended in the same turn is told together, with the time that all took.
        if (ended.push({ id, code, signal, tookMs: performance.now() - asked }) === 1) setImmediate(tellEnded);
      },
    });
  } catch (thrown) {
    failed(/** @type {NodeJS.ErrnoException} */ (thrown).code ?? String(thrown));
  }
  if (!started) return;
  const { pid, pipes } = started;
  pipesOf.set(id, pipes);
  // Now, while nobody else can have its process id.
  tell(jsonFrame(kinds.started, id, { pid, started: statFields(pid, 22)[0] ?? null }));
  let open = pipes.length;
  for (const [n, pipe] of pipes.entries()) {
    pass(id, pipe, [kinds.stdout, kinds.stderr, kinds.times][n] ?? kinds.times);
    pipe.once('close', () => {
      if (--open === 0) closed(id);
    });
  }
  if (congested) flow(id);
}

/** @param {number} id */
function closed(id) {
  pipesOf.delete(id);
  paused.delete(id);
  tell(frame(kinds.closed, id));
}

/** @param {number} id @param {Socket} pipe @param {number} kind */
function pass(id, pipe, kind) {
  pipe.on('data', (chunk) => tell(frame(kind, id, chunk)));
  pipe.on('error', () => {});
}

/** The kernel adds the time of a child that has ended, and of all that it waited for, to counters of this process. */
function tellEnded() {
  const [user, system] = statFields('self', 16, 17);
  const ticks = Number(user) + Number(system);
  tell(jsonFrame(kinds.exited, 0, { ended, ticks: Number.isNaN(ticks) ? null : ticks }));
  ended = [];
}

/** What is left of the group when its first process has ended. @param {number} pid */
function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

/** Fields of /proc/<pid>/stat, counted from 1; none without /proc. @param {number | 'self'} pid @param {number[]} numbers */
function statFields(pid, ...numbers) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may contain anything; the third is the first after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return numbers.map((number) => fields[number - 3]);
  } catch {
    return [];
  }
}

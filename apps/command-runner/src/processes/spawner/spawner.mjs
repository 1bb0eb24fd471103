// Starts the processes of a runner, which tells it by a socket what to start and hears from it what they write and how they
// end. A program of its own because starting a process takes the longer the more memory the parent has written to, and
// because then no secret of the runner is in the parent of commands. Therefore it is plain JavaScript and loads nothing but
// what Node brings: to strip types Node would load a compiler.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { FrameReader, frame, jsonFrame, kinds } from './frames.mjs';

/** Descriptor of the socket to the runner. */
const runnerDescriptor = 3;
/** From how many bytes on that wait for the runner nothing more is read. */
const mostWaiting = 262_144;

/** What runs, or has not closed its output yet, by the runner's number. @type {Map<number, import('node:child_process').ChildProcess>} */
const children = new Map();
/** Those whose output the runner does not want now. @type {Set<number>} */
const paused = new Set();
/** What ended in this turn. @type {import('./spawner.ts').Exits['ended']} */
let ended = [];
/** The runner reads slower than is written. */
let congested = false;

const runner = new Socket({ fd: runnerDescriptor, readable: true, writable: true });
const reader = new FrameReader();
runner.on('data', (chunk) => reader.push(chunk, obey));
// A dead runner leaves what it started to the next, which finds it by its mark; nobody reads what it writes any more.
runner.on('error', () => process.exit(1));
runner.on('close', () => process.exit(0));
runner.on('end', () => process.exit(0));
runner.on('drain', () => {
  congested = false;
  for (const id of children.keys()) flow(id);
});
// They are meant for the runner, which ends us when it has ended what runs.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => {});

/** @param {Buffer[]} parts */
function tell(parts) {
  if (!runner.writableCorked) {
    runner.cork();
    process.nextTick(() => runner.uncork());
  }
  for (const part of parts) runner.write(part);
  if (congested || runner.writableLength < mostWaiting) return;
  congested = true;
  for (const id of children.keys()) flow(id);
}

/** @param {number} kind @param {number} id @param {Buffer} payload */
function obey(kind, id, payload) {
  if (kind === kinds.start) start(id, JSON.parse(payload.toString()));
  else if (kind === kinds.ping) tell(frame(kinds.pong, 0));
  else if (kind === kinds.abandon) for (const pipe of pipesOf(id)) pipe.destroy();
  else {
    if (kind === kinds.pause) paused.add(id);
    else paused.delete(id);
    flow(id);
  }
}

/** @param {number} id */
function pipesOf(id) {
  return /** @type {Socket[]} */ ((children.get(id)?.stdio ?? []).filter((pipe) => pipe !== null));
}

/** Read what a process writes, or leave it in its pipes so that it has to wait. @param {number} id */
function flow(id) {
  const wait = congested || paused.has(id);
  for (const pipe of pipesOf(id)) {
    if (wait) pipe.pause();
    else pipe.resume();
  }
}

/** @param {number} id @param {import('./spawner.ts').StartOrder} order */
function start(id, { file, args, times, ...options }) {
  const asked = performance.now();
  /** @type {import('node:child_process').ChildProcess} */
  let child;
  try {
    const stdio = /** @type {const} */ (['ignore', 'pipe', 'pipe']);
    child = spawn(file, args, { ...options, detached: true, stdio: times ? [...stdio, 'pipe'] : [...stdio] });
  } catch (thrown) {
    tell(jsonFrame(kinds.failed, id, { code: /** @type {NodeJS.ErrnoException} */ (thrown).code ?? String(thrown) }));
    return;
  }
  const { pid } = child;
  if (pid === undefined) {
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      tell(jsonFrame(kinds.failed, id, { code: error.code ?? error.message })),
    );
    return;
  }
  children.set(id, child);
  child.on('error', () => {});
  // Now, while nobody else can have its process id.
  tell(jsonFrame(kinds.started, id, { pid, started: statField(pid, 22) }));
  const [, stdout, stderr, timesPipe] = child.stdio;
  pass(id, stdout, kinds.stdout);
  pass(id, stderr, kinds.stderr);
  pass(id, timesPipe, kinds.times);
  if (congested) flow(id);
  child.once('exit', (code, signal) => {
    killGroup(pid);
    // Whoever ended in the same turn is told together, with the time that all took.
    if (ended.push({ id, code, signal, tookMs: performance.now() - asked }) === 1) setImmediate(tellEnded);
  });
  child.once('close', () => {
    children.delete(id);
    paused.delete(id);
    tell(frame(kinds.closed, id));
  });
}

/** @param {number} id @param {unknown} pipe @param {number} kind */
function pass(id, pipe, kind) {
  if (!(pipe instanceof Socket)) return;
  pipe.on('data', (chunk) => tell(frame(kind, id, chunk)));
  pipe.on('error', () => {});
}

/** The kernel adds the time of a child that has ended, and of all that it waited for, to counters of this process. */
function tellEnded() {
  const [user, system] = [statField('self', 16), statField('self', 17)].map(Number);
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

/** A field of /proc/<pid>/stat, counted from 1; null without /proc. @param {number | 'self'} pid @param {number} number */
function statField(pid, number) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may contain anything; the third is the first after it.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[number - 3] ?? null;
  } catch {
    return null;
  }
}

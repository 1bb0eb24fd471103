import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { DataDir } from './data-dir.ts';
import { root } from './paths.ts';
import { signalGroup } from './process-identity.ts';
import { SetupError } from './setup-error.ts';

/** How a child is started. */
export interface ChildOptions {
  name: string;
  cwd: string;
  env: NodeJS.ProcessEnv;
  dataDir: DataDir;
  /** Each line that it writes to stdout or stderr. */
  onLine: (line: string) => void;
}

/** How a child ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A child process that ends no later than we do. */
export interface Child {
  name: string;
  pid: number;
  /** Settles when it has ended and all its output was read. */
  exited: Promise<Exit>;
  isRunning(): boolean;
  /** SIGTERM, and after the grace period SIGKILL, to it and what it started in its group. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
  signal(signal: NodeJS.Signals): void;
}

// Every child leads its own process group, so that Ctrl-C in a terminal reaches us alone and we stop them in order. When
// we are killed they learn of it by a pipe: Node programs by the IPC channel that closes, others by the keeper below.

// Compiling, and taking the types away, is most of what starting a program costs; Node keeps the result for the next time.
const compileCache = join(root, 'node_modules/.cache/node-compile');

const parentWatch = new URL('./parent-watch.mjs', import.meta.url).href;

/** Start a Node program. It has to exit when its IPC channel disconnects. */
export function forkNode(script: string, args: string[], options: ChildOptions): Promise<Child> {
  const child = fork(script, args, {
    cwd: options.cwd,
    env: { NODE_COMPILE_CACHE: compileCache, ...options.env },
    execPath: process.execPath,
    execArgv: ['--import', parentWatch],
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.channel?.unref();
  return watch(child, options);
}

// Runs "$@" until it ends, or until standard input ends because we are gone; then the whole group is asked to end.
const keeper = `exec 3<&0
"$@" </dev/null 3<&- &
child=$!
trap 'kill -TERM $child' TERM
{ cat <&3 >/dev/null; kill -TERM 0; } &
status=0
wait $child || status=$?
while kill -0 $child 2>/dev/null; do status=0; wait $child || status=$?; done
trap '' TERM
kill -TERM 0
exit $status`;

/** Start any program under a small shell that ends it should we be killed. Signals go to the whole group. */
export async function spawnKept(command: string, args: string[], options: ChildOptions): Promise<Child> {
  const child = spawn('/bin/sh', ['-c', keeper, 'keeper', command, ...args], {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const kept = await watch(child, options);
  // Killing the small shell alone would leave the program behind, unwatched.
  return { ...kept, signal: (signal) => signalGroup(kept.pid, signal) };
}

const lastWordsMs = 500;

async function watch(child: ChildProcess, options: ChildOptions): Promise<Child> {
  const { name, dataDir, onLine } = options;
  await Promise.race([
    once(child, 'spawn'),
    once(child, 'error').then(([cause]) => {
      throw new SetupError(`Cannot start ${name}: ${(cause as Error).message}.`);
    }),
  ]);
  const pid = child.pid;
  if (pid === undefined) throw new SetupError(`Cannot start ${name}.`);
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on('line', onLine);
  }
  dataDir.record(name, pid);
  const closed = once(child, 'close');
  const exited = once(child, 'exit').then(async ([code, signal]): Promise<Exit> => {
    dataDir.forget(pid);
    // What it wrote last is still in the pipe; something that it left behind may hold the pipe open.
    await Promise.race([closed, delay(lastWordsMs, undefined, { ref: false })]);
    return { code, signal };
  });
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    name,
    pid,
    exited,
    isRunning,
    signal: (signal) => void child.kill(signal),
    async stop(graceMs) {
      if (!isRunning()) return;
      child.kill('SIGTERM');
      const force = setTimeout(() => {
        onLine(`${name} did not end within ${graceMs / 1000} s and is killed`);
        signalGroup(pid, 'SIGKILL');
      }, graceMs);
      await exited;
      clearTimeout(force);
    },
  };
}

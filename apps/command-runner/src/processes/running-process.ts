import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { signalGroup, startOf } from './identity.ts';
import type { Program } from './shell.ts';

/** Pause between SIGTERM and SIGKILL, in milliseconds. */
export const killAfterMs = 5_000;
/** How long pipes that escaped processes hold open are read after the main process has ended, in milliseconds. */
const drainMs = 1_000;
const drainTickMs = 50;

/** How a process ended. */
export interface ProcessEnd {
  /** Exit code, or minus the number of the signal that ended it; 127 or 126 when it could not be started. */
  exit_code: number;
  /** Why it could not be started. */
  error?: string;
}

/** What to start, unless it is refused. */
export interface ProcessSpec extends Program {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Takes what it writes, decoded: no character is ever torn. */
  read: (stream: 'stdout' | 'stderr', text: string) => void;
}

/**
 * A process with everything that it starts: they share a process group, and what is left of the group when the process
 * ends is killed. A descendant that left the group cannot keep the end from coming; strays are looked for elsewhere.
 */
export class RunningProcess {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  readonly started: string | undefined;
  /** When it has ended and everything that it wrote was read. */
  readonly ended: Promise<ProcessEnd>;
  readonly #child: ChildProcess | undefined;
  #paused = false;
  #exited = false;
  #kill: NodeJS.Timeout | undefined;

  constructor(spec: ProcessSpec) {
    if (spec.refused !== undefined) {
      this.ended = Promise.resolve({ exit_code: 126, error: spec.refused });
      return;
    }
    try {
      this.#child = spawn(spec.file, spec.args, {
        cwd: spec.cwd,
        env: spec.env,
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (thrown) {
      this.ended = Promise.resolve(notStarted(spec.file, thrown as NodeJS.ErrnoException));
      return;
    }
    this.pid = this.#child.pid;
    this.started = this.pid === undefined ? undefined : startOf(this.pid);
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#child[stream]?.setEncoding('utf8').on('data', (text: string) => spec.read(stream, text));
    }
    this.ended = this.#end(this.#child, spec.file);
  }

  /** Leave what it writes in its pipes, so that it has to wait. */
  pause(): void {
    this.#paused = true;
    for (const pipe of [this.#child?.stdout, this.#child?.stderr]) pipe?.pause();
  }

  /** Read on. */
  resume(): void {
    this.#paused = false;
    for (const pipe of [this.#child?.stdout, this.#child?.stderr]) pipe?.resume();
  }

  /** SIGTERM to the group, and SIGKILL to what stays. False when it has already ended. */
  stop(killAfter = killAfterMs): boolean {
    const { pid } = this;
    if (pid === undefined || this.#exited) return false;
    signalGroup(pid, 'SIGTERM');
    clearTimeout(this.#kill);
    this.#kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfter);
    return true;
  }

  #end(child: ChildProcess, file: string): Promise<ProcessEnd> {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(notStarted(file, error));
    });
    child.once('exit', (code, signal) => {
      this.#exited = true;
      clearTimeout(this.#kill);
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      const drain = this.#drain(child);
      child.once('close', () => {
        clearInterval(drain);
        resolve({ exit_code: signal ? -constants.signals[signal] : (code ?? 0) });
      });
    });
    return promise;
  }

  /** Only time in which we were willing to read counts: a slow database must not cost output. */
  #drain(child: ChildProcess): NodeJS.Timeout {
    let waited = 0;
    return setInterval(() => {
      if (this.#paused) return;
      waited += drainTickMs;
      if (waited < drainMs) return;
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, drainTickMs);
  }
}

function notStarted(file: string, error: NodeJS.ErrnoException): ProcessEnd {
  if (error.code === 'ENOENT') return { exit_code: 127, error: `Command not found: ${file}` };
  return { exit_code: 126, error: `Cannot be started: ${error.code ?? error.message}` };
}

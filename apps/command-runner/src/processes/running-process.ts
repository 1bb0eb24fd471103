import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { signalGroup, startOf } from './identity.ts';
import type { Launch } from './isolation.ts';
import { readAllStats } from './proc-stat.ts';
import { readTimes, timesDescriptor } from './sandbox.ts';
import { type Exceeded, type Meter, type Usage, usageMeter } from './usage-meter.ts';

/** Pause between SIGTERM and SIGKILL, in milliseconds. */
export const killAfterMs = 5_000;
/** How long pipes that escaped processes hold open are read after the main process has ended, in milliseconds. */
const drainMs = 1_000;
const drainTickMs = 50;

/** How a process ended, and what it took with everything that it started. */
export interface ProcessEnd extends Usage {
  /**
   * Exit code, or minus the number of the signal that ended it; 126 when it could not be started. A sandbox tells a signal
   * as 128 and its number, which an exit code of that kind cannot be told from.
   */
  exit_code: number;
  /** Why it could not be started. */
  error?: string;
}

/** What to start, unless it is refused. */
export interface ProcessSpec extends Launch {
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Called when it takes more than it may; it is for the caller to stop it. */
  exceeded?: (what: Exceeded) => void;
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
  readonly #sandboxed: boolean;
  readonly #meter: Meter | undefined;
  #times = '';
  #paused = false;
  #exited = false;
  #kill: NodeJS.Timeout | undefined;

  constructor(spec: ProcessSpec) {
    const { refused, cwd, env, uid, gid, limits } = spec;
    this.#sandboxed = spec.sandboxed;
    if (refused !== undefined) {
      this.ended = Promise.resolve({ ...nothingTaken, exit_code: 126, error: refused });
      return;
    }
    try {
      this.#child = spawn(spec.file, spec.args, {
        cwd,
        env,
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
        detached: true,
        stdio: ['ignore', 'pipe', 'pipe', ...(spec.sandboxed ? (['pipe'] as const) : [])],
      });
    } catch (thrown) {
      this.ended = Promise.resolve(notStarted(thrown as NodeJS.ErrnoException));
      return;
    }
    this.pid = this.#child.pid;
    if (this.pid !== undefined) {
      this.started = startOf(this.pid);
      this.#meter = usageMeter.start(this.pid, limits, (what) => spec.exceeded?.(what));
    }
    for (const stream of ['stdout', 'stderr'] as const) {
      const pipe = this.#child[stream];
      pipe?.setEncoding('utf8').on('data', (text: string) => spec.read(stream, text));
      pipe?.once('data', () => this.#meter?.look());
    }
    this.#child.stdio[timesDescriptor]?.on('data', (text) => {
      if (this.#times.length < mostTimes) this.#times += text;
    });
    this.ended = this.#end(this.#child);
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
    const inside = this.#sandboxed ? childrenOf(pid) : [];
    // The sandbox itself would die of it, and everything inside by SIGKILL.
    for (const group of inside.length > 0 ? inside : [pid]) signalGroup(group, 'SIGTERM');
    clearTimeout(this.#kill);
    this.#kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfter);
    return true;
  }

  #end(child: ChildProcess): Promise<ProcessEnd> {
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(notStarted(error));
    });
    child.once('exit', (code, signal) => {
      this.#exited = true;
      clearTimeout(this.#kill);
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      const usage = this.#meter?.ended() ?? nothingTaken;
      const drain = this.#drain(child);
      child.once('close', async () => {
        clearInterval(drain);
        resolve({ ...this.#withTimes(await usage), exit_code: this.#exitCode(code, signal) });
      });
    });
    return promise;
  }

  #withTimes(usage: Usage): Usage {
    const cpu_seconds = Math.max(usage.cpu_seconds ?? 0, readTimes(this.#times) ?? 0);
    return this.#sandboxed ? { ...usage, cpu_seconds } : usage;
  }

  #exitCode(code: number | null, signal: NodeJS.Signals | null): number {
    if (signal) return -constants.signals[signal];
    const inside = (code ?? 0) - 128;
    return this.#sandboxed && signalNumbers.has(inside) ? -inside : (code ?? 0);
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
      child.stdio[timesDescriptor]?.destroy();
    }, drainTickMs);
  }
}

/** Length of what is read of the times of a sandboxed program, in UTF-16 units. */
const mostTimes = 200;

const signalNumbers = new Set<number>(Object.values(constants.signals));
const nothingTaken: Usage = { cpu_seconds: null, peak_memory_bytes: null };

function childrenOf(pid: number): number[] {
  return readAllStats().flatMap((stat) => (stat.parent === pid ? [stat.pid] : []));
}

function notStarted(error: NodeJS.ErrnoException): ProcessEnd {
  return { ...nothingTaken, exit_code: 126, error: `Cannot be started: ${error.code ?? error.message}` };
}

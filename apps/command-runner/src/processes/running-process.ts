import { constants } from 'node:os';
import { StringDecoder } from 'node:string_decoder';
import { isSameProcess, signalGroup } from './identity.ts';
import type { Launch } from './isolation.ts';
import { readAllStats } from './proc-stat.ts';
import { readTimes } from './sandbox.ts';
import type { Ordered, Pipe, Spawner } from './spawner/spawner.ts';
import type { Exceeded, Meter, Usage } from './usage-meter.ts';

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
  /** How long it was there, in milliseconds; absent when nobody saw it end. */
  duration_ms?: number;
  /** Why it could not be started, or not be followed to its end. */
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
  /** When it has started, or could not be. */
  readonly spawned: Promise<void>;
  /** When it has ended and everything that it wrote was read. */
  readonly ended: Promise<ProcessEnd>;
  readonly #spec: ProcessSpec;
  readonly #spawner: Spawner;
  readonly #spawned = Promise.withResolvers<void>();
  readonly #exited = Promise.withResolvers<Exit>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  readonly #ordered: Ordered | undefined;
  #pid: number | undefined;
  #started: string | undefined;
  #meter: Meter | undefined;
  #times = '';
  #paused = false;
  /** There is nothing, or nothing any more, that could be stopped. */
  #over = false;
  #isClosed = false;
  #stopAfter: number | undefined;
  #kill: NodeJS.Timeout | undefined;
  #drain: NodeJS.Timeout | undefined;

  constructor(spawner: Spawner, spec: ProcessSpec) {
    this.#spawner = spawner;
    this.#spec = spec;
    this.spawned = this.#spawned.promise;
    this.ended = this.#end();
    if (spec.refused !== undefined) {
      this.#fail(spec.refused);
      return;
    }
    const { file, args, cwd, env, uid, gid, sandboxed } = spec;
    const user = { ...(uid === undefined ? {} : { uid }), ...(gid === undefined ? {} : { gid }) };
    this.#ordered = spawner.start(
      { file, args, cwd, env, ...user, times: sandboxed },
      {
        started: (pid, started) => this.#begin(pid, started),
        wrote: (pipe, chunk) => this.#read(pipe, chunk),
        exited: (code, signal, tookMs) => this.#exit({ exit_code: this.#exitCode(code, signal), duration_ms: tookMs }),
        closed: () => this.#close(),
        failed: (reason) => this.#fail(reason),
      },
    );
  }

  /** Undefined until it has started, and when it could not be started. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** When it started, as `startOf` tells it. */
  get started(): string | undefined {
    return this.#started;
  }

  /** Leave what it writes in its pipes, so that it has to wait; what is under way is still read. */
  pause(): void {
    this.#paused = true;
    this.#ordered?.pause();
  }

  /** Read on. */
  resume(): void {
    this.#paused = false;
    this.#ordered?.resume();
  }

  /** SIGTERM to the group, and SIGKILL to what stays; as soon as there is a process. False when it has already ended. */
  stop(killAfter = killAfterMs): boolean {
    if (this.#over) return false;
    this.#stopAfter = killAfter;
    const { pid } = this;
    if (pid === undefined) return true;
    const inside = this.#spec.sandboxed ? childrenOf(pid) : [];
    // The sandbox itself would die of it, and everything inside by SIGKILL.
    for (const group of inside.length > 0 ? inside : [pid]) signalGroup(group, 'SIGTERM');
    clearTimeout(this.#kill);
    this.#kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfter);
    return true;
  }

  async #end(): Promise<ProcessEnd> {
    const { usage, ...end } = await this.#exited.promise;
    await this.#closed.promise;
    return { ...this.#withTimes(await usage), ...end };
  }

  #begin(pid: number, started: string | undefined): void {
    this.#pid = pid;
    this.#started = started;
    this.#meter = this.#spawner.meter.start(pid, this.#spec.limits, (what) => this.#spec.exceeded?.(what));
    this.#spawned.resolve();
    if (this.#stopAfter !== undefined) this.stop(this.#stopAfter);
  }

  #read(pipe: Pipe, chunk: Buffer): void {
    if (pipe === 'times') {
      if (this.#times.length < mostTimes) this.#times += chunk.toString();
      return;
    }
    const text = this.#decoders[pipe].write(chunk);
    if (text !== '') this.#spec.read(pipe, text);
  }

  #exit(end: Omit<Exit, 'usage'>): void {
    this.#over = true;
    clearTimeout(this.#kill);
    if (!this.#isClosed) this.#drain ??= this.#abandonLater();
    this.#exited.resolve({ ...end, usage: this.#meter?.ended() ?? nothingTaken });
  }

  #close(): void {
    this.#isClosed = true;
    clearInterval(this.#drain);
    for (const pipe of ['stdout', 'stderr'] as const) {
      const rest = this.#decoders[pipe].end();
      if (rest !== '') this.#spec.read(pipe, rest);
    }
    this.#closed.resolve();
  }

  /** It was not started, or nobody can tell any more how it goes: then it is killed. */
  #fail(reason: string): void {
    const { pid, started } = this;
    if (pid !== undefined && isSameProcess(pid, started ?? null)) signalGroup(pid, 'SIGKILL');
    this.#spawned.resolve();
    this.#exit({ exit_code: pid === undefined ? 126 : -constants.signals.SIGKILL, error: reason });
    this.#close();
  }

  #withTimes(usage: Usage): Usage {
    const cpu_seconds = Math.max(usage.cpu_seconds ?? 0, readTimes(this.#times) ?? 0);
    return this.#spec.sandboxed && this.pid !== undefined ? { ...usage, cpu_seconds } : usage;
  }

  #exitCode(code: number | null, signal: number | null): number {
    if (signal) return -signal;
    const inside = (code ?? 0) - 128;
    return this.#spec.sandboxed && signalNumbers.has(inside) ? -inside : (code ?? 0);
  }

  /** Only time in which we were willing to read counts: a slow database must not cost output. */
  #abandonLater(): NodeJS.Timeout {
    let waited = 0;
    return setInterval(() => {
      if (this.#paused) return;
      waited += drainTickMs;
      if (waited >= drainMs) this.#ordered?.abandon();
    }, drainTickMs);
  }
}

/** How it ended; what it took is told a moment later. */
interface Exit extends Omit<ProcessEnd, keyof Usage> {
  usage: Promise<Usage> | Usage;
}

/** Length of what is read of the times of a sandboxed program, in UTF-16 units. */
const mostTimes = 200;

const signalNumbers = new Set<number>(Object.values(constants.signals));
const nothingTaken: Usage = { cpu_seconds: null, peak_memory_bytes: null };

function childrenOf(pid: number): number[] {
  return readAllStats().flatMap((stat) => (stat.parent === pid ? [stat.pid] : []));
}

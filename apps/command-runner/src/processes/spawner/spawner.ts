import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { startedAt } from '../identity.ts';
import { limited, type ProcessLimits } from '../limits.ts';
import { UsageMeter } from '../usage-meter.ts';
import { FrameReader, frame, jsonFrame, kinds } from './frames.mjs';

/** Pause between signs of life that are asked for while something runs, in milliseconds, and how many may be missing. */
const usualSigns = { pauseMs: 5_000, missing: 4 };
/** How long the spawner may take to end when it is not needed any more, in milliseconds. */
const endMs = 2_000;

/** It shall hold little memory, and no process may make it open a debugger. */
const options = ['--max-semi-space-size=1', '--single-threaded', '--disable-sigusr1'];
const program = fileURLToPath(new URL('./spawner.mjs', import.meta.url));

/** What to start. */
export interface StartOrder {
  file: string;
  args: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
  uid?: number;
  gid?: number;
  /** Whether it writes its times to descriptor 3. */
  times: boolean;
}

/** Where a process writes to. */
export type Pipe = 'stdout' | 'stderr' | 'times';

/** Hears of one process: `started`, what it writes, `exited` and `closed` in any order; or `failed` and nothing more. */
export interface Listener {
  /** @param started when, as `startOf` tells it */
  started(pid: number, started: string | undefined): void;
  wrote(pipe: Pipe, chunk: Buffer): void;
  /**
   * @param signal number of the one that ended it
   * @param tookMs milliseconds that it was there
   */
  exited(code: number | null, signal: number | null, tookMs: number): void;
  /** Everything that it wrote was told. */
  closed(): void;
  /** It could not be started, or, if it was, can be followed no more. */
  failed(reason: string): void;
}

/** A process that was ordered. */
export interface Ordered {
  /** Leave what it writes in its pipes, so that it has to wait. Some hundred kilobytes may be under way already. */
  pause(): void;
  resume(): void;
  /** Read no more, whoever holds the pipes open. */
  abandon(): void;
}

/** What ended in one turn of the spawner, and the processor time of all that has ended, in ticks. */
export interface Exits {
  ended: { id: number; code: number | null; signal: number | null; tookMs: number }[];
  ticks: number | null;
}

/** The program that starts processes for us, while it lives. */
interface Helper {
  child: ChildProcess;
  /** Undefined where there are no descriptors left to start it. */
  socket: Socket | undefined;
  /** Signs of life that it owes. */
  owes: number;
}

/**
 * Starts processes by a small program of its own, the spawner, which is their parent. When the spawner dies, what it started
 * has failed, and the next order starts another one. When this process dies, the spawner ends.
 */
export class Spawner implements AsyncDisposable {
  /** Measures what it starts. */
  readonly meter = new UsageMeter();
  readonly #inherited: ProcessLimits;
  readonly #listeners = new Map<number, Listener>();
  /** What has exited or closed, but not both. */
  readonly #half = new Set<number>();
  #last = 0;
  #helper: Helper | undefined;
  readonly #watch: NodeJS.Timeout;
  readonly #signs: typeof usualSigns;

  /** @param limits of each process; only the size of files is bounded here, as what is started inherits it */
  constructor({ fileBytes }: ProcessLimits, signs = usualSigns) {
    this.#signs = signs;
    this.#inherited = { fileBytes };
    this.#helper = this.#launch();
    this.#watch = setInterval(() => this.#look(), signs.pauseMs).unref();
  }

  /** Process id of the spawner, which is the parent of what it starts; undefined while there is none. */
  get pid(): number | undefined {
    return this.#helper?.child.pid;
  }

  /** Processes that have not both exited and closed their output. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Start a process. Never throws: what cannot be started fails. */
  start(order: StartOrder, listener: Listener): Ordered {
    this.#last = (this.#last + 1) % 2 ** 32;
    const id = this.#last;
    this.#listeners.set(id, listener);
    const helper = this.#helper ?? this.#launch();
    this.#helper = helper;
    send(helper, jsonFrame(kinds.start, id, order));
    return {
      pause: () => send(helper, frame(kinds.pause, id)),
      resume: () => send(helper, frame(kinds.resume, id)),
      abandon: () => send(helper, frame(kinds.abandon, id)),
    };
  }

  /** End the spawner. What it started must have ended before. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    const { child, socket } = this.#helper ?? {};
    this.#helper = undefined;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const late = setTimeout(() => child.kill('SIGKILL'), endMs);
    socket?.end();
    await ended;
    clearTimeout(late);
  }

  #launch(): Helper {
    const { file, args } = limited({ file: process.execPath, args: [...options, program] }, this.#inherited);
    const child = spawn(file, args, { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
    const helper: Helper = { child, socket: child.stdio?.[3] as Socket | undefined, owes: 0 };
    const reader = new FrameReader();
    const lost = (reason: string) => this.#lost(helper, reason);
    child.once('error', (error: NodeJS.ErrnoException) => lost(`Cannot be started: ${error.code ?? error.message}`));
    helper.socket?.on('data', (chunk: Buffer) => {
      helper.owes = 0;
      reader.push(chunk, (kind, id, payload) => this.#hear(kind, id, payload));
    });
    helper.socket?.on('error', () => {});
    helper.socket?.once('close', () => {
      child.kill('SIGKILL');
      lost('The process that starts commands has died');
    });
    return helper;
  }

  #lost(helper: Helper, reason: string): void {
    if (this.#helper !== helper) return;
    this.#helper = undefined;
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    this.#half.clear();
    for (const listener of listeners) listener.failed(reason);
    this.meter.settle(undefined);
  }

  #hear(kind: number, id: number, payload: Buffer): void {
    if (kind === kinds.exited) {
      this.#exited(JSON.parse(payload.toString()));
      return;
    }
    const listener = this.#listeners.get(id);
    if (!listener) return;
    if (kind === kinds.stdout) listener.wrote('stdout', payload);
    else if (kind === kinds.stderr) listener.wrote('stderr', payload);
    else if (kind === kinds.times) listener.wrote('times', payload);
    else if (kind === kinds.started) {
      const { pid, started } = JSON.parse(payload.toString()) as { pid: number; started: string | null };
      listener.started(pid, started === null ? undefined : startedAt(started));
    } else if (kind === kinds.closed) {
      listener.closed();
      this.#done(id);
    } else if (kind === kinds.failed) {
      this.#listeners.delete(id);
      const { code } = JSON.parse(payload.toString()) as { code: string };
      listener.failed(`Cannot be started: ${code}`);
    }
  }
  #exited({ ended, ticks }: Exits): void {
    for (const { id, code, signal, tookMs } of ended) {
      this.#listeners.get(id)?.exited(code, signal, tookMs);
      this.#done(id);
    }
    this.meter.settle(ticks ?? undefined);
  }

  /** Called when it has exited, and when it has closed. */
  #done(id: number): void {
    if (this.#half.delete(id)) this.#listeners.delete(id);
    else if (this.#listeners.has(id)) this.#half.add(id);
  }

  /** A spawner that something has stopped is killed: commands may have the power to do so. */
  #look(): void {
    const helper = this.#helper;
    if (!helper || this.#listeners.size === 0) return;
    if (helper.owes >= this.#signs.missing) helper.child.kill('SIGKILL');
    else send(helper, frame(kinds.ping, 0));
    helper.owes++;
  }
}

function send({ socket }: Helper, parts: Buffer[]): void {
  for (const part of parts) socket?.write(part);
}

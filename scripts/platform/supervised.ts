import { setTimeout as delay } from 'node:timers/promises';
import type { Child, Exit } from './child.ts';
import { poll } from './poll.ts';
import { SetupError } from './setup-error.ts';

/** What is kept running, and how it is known to work. */
export interface SupervisedOptions {
  name: string;
  start: (onLine: (line: string) => void) => Promise<Child>;
  isReady: () => Promise<boolean>;
  readyTimeoutMs: number;
  graceMs: number;
  /** It crashed too often to go on. */
  onGiveUp: (error: SetupError) => void;
  onLine?: (line: string) => void;
  /** How a line is quoted to people. */
  show?: (line: string) => string;
  /** It ended unexpectedly and is started again. */
  onRestart?: (why: string) => void;
}

// Five deaths, each within ten seconds of its start, are a fault that another start will not mend.
const fastMs = 10_000;
const maxFastCrashes = 5;
const firstBackoffMs = 100;
const linesKept = 20;

/**
 * A child that is started again when it dies: at once after a long life, after a doubling pause when it died young. After
 * five young deaths in a row it is given up.
 */
export class Supervised {
  readonly name: string;
  readonly #options: SupervisedOptions;
  readonly #stopping = new AbortController();
  readonly #lastLines: string[] = [];
  #child: Child | undefined;
  #fastCrashes = 0;
  #killed = false;
  #failure: SetupError | undefined;
  #watching: Promise<void> = Promise.resolve();

  constructor(options: SupervisedOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Process id of the present child. */
  get pid(): number | undefined {
    return this.#child?.isRunning() ? this.#child.pid : undefined;
  }

  /** @throws SetupError when it cannot be started at all */
  async start(): Promise<void> {
    this.#child = await this.#startChild();
    this.#watching = this.#watch(this.#child);
  }

  /** Resolves when it works. @throws SetupError that names it when it does not within its time */
  async ready(signal?: AbortSignal): Promise<void> {
    const { isReady, readyTimeoutMs } = this.#options;
    const given = AbortSignal.any([this.#stopping.signal, ...(signal ? [signal] : [])]);
    const ready = await poll(async () => (this.#failure || (this.pid && (await isReady())) ? true : undefined), {
      timeoutMs: readyTimeoutMs,
      signal: given,
    });
    if (this.#failure) throw this.#failure;
    if (!ready && !given.aborted) {
      throw new SetupError(`${this.name} is not ready after ${readyTimeoutMs / 1000} s.${this.#quoteLastLines()}`);
    }
  }

  /** Send a signal to the present child; its death is then no crash. @returns its process id */
  kill(signal: NodeJS.Signals): number {
    const child = this.#child;
    if (!child?.isRunning()) throw new Error(`${this.name} does not run now`);
    this.#killed = true;
    child.signal(signal);
    // It may answer a last time before it is gone; for whoever waits until it works again that does not count.
    if (signal === 'SIGKILL') this.#child = undefined;
    return child.pid;
  }

  /** End it for good. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#child?.stop(this.#options.graceMs);
    await this.#watching;
  }

  #startChild(): Promise<Child> {
    return this.#options.start((line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > linesKept) this.#lastLines.shift();
      this.#options.onLine?.(line);
    });
  }

  async #watch(first: Child): Promise<void> {
    let child = first;
    for (;;) {
      const started = Date.now();
      const exit = await child.exited;
      if (this.#stopping.signal.aborted) return;
      const crashedYoung = !this.#killed && Date.now() - started < fastMs;
      this.#fastCrashes = crashedYoung ? this.#fastCrashes + 1 : 1;
      this.#killed = false;
      const why = `${this.name} ended unexpectedly (${describe(exit)})`;
      if (this.#fastCrashes >= maxFastCrashes) return this.#giveUp(`${why} ${maxFastCrashes} times in a row.`);
      this.#options.onRestart?.(why);
      await delay(firstBackoffMs * 2 ** (this.#fastCrashes - 1), undefined, { signal: this.#stopping.signal }).catch(
        () => {},
      );
      if (this.#stopping.signal.aborted) return;
      try {
        child = await this.#startChild();
      } catch (cause) {
        return this.#giveUp(`${why}, and cannot be started again: ${(cause as Error).message}.`);
      }
      this.#child = child;
      // A stop that came while the child was being started has not seen it.
      if (this.#stopping.signal.aborted) await child.stop(this.#options.graceMs);
    }
  }

  #giveUp(message: string): void {
    this.#failure = new SetupError(`${message}${this.#quoteLastLines()}`);
    this.#options.onGiveUp(this.#failure);
  }

  #quoteLastLines(): string {
    const { show = (line) => line } = this.#options;
    return this.#lastLines.length === 0 ? '' : ` It wrote last:\n  ${this.#lastLines.map(show).join('\n  ')}`;
  }
}

/** Start several, wait for all of them, and stop them in reverse order when the stack is disposed of, or one fails. */
export async function superviseAll(parts: Supervised[], signal?: AbortSignal): Promise<AsyncDisposableStack> {
  await using starting = new AsyncDisposableStack();
  for (const part of parts) {
    starting.defer(() => part.stop());
    await part.start();
  }
  await Promise.all(parts.map((part) => part.ready(signal)));
  signal?.throwIfAborted();
  return starting.move();
}

function describe(exit: Exit): string {
  return exit.signal ? `signal ${exit.signal}` : `exit code ${exit.code}`;
}

import type { Outbox } from '@claude-cli/shared/outbox';
import type { Execution, ExecutionEntry } from './execution.ts';

/** When so many executions started within a second, many start. */
const many = 10;
/**
 * How long after the claim a start is told, in milliseconds: when the process runs, because what follows from it in all services would
 * take the processors from it where these are few; and where many start, when those that end soon have ended, of which start and
 * end then are one change of the task.
 */
const telling = { afterMs: 20, ofManyAfterMs: 500 };
/** Starts are told together at times so far apart, where many start. */
const tickMs = 50;

/** A start that is to be told. */
interface Start {
  execution: Execution;
  /** By performance.now(). */
  dueAt: number;
}

/** Tells that executions were claimed, a moment later. One that has ended until then is left to the news of its end. */
export class Starts implements AsyncDisposable {
  readonly #outbox: Pick<Outbox<ExecutionEntry, Execution>, 'flush' | 'untold'>;
  #waiting: Start[] = [];
  /** When the latest ones were claimed, oldest first. */
  #latest: number[] = [];
  #timer: { timeout: NodeJS.Timeout; at: number } | undefined;

  /** @param outbox of the executions */
  constructor(outbox: Pick<Outbox<ExecutionEntry, Execution>, 'flush' | 'untold'>) {
    this.#outbox = outbox;
  }

  /** One was claimed. @param execution as the claim has left it */
  add(execution: Execution): void {
    const now = performance.now();
    this.#latest.push(now);
    if (this.#latest.length > many) this.#latest.shift();
    const isOneOfMany = this.#latest.length === many && now - Number(this.#latest[0]) < 1_000;
    const dueAt = isOneOfMany ? Math.ceil((now + telling.ofManyAfterMs) / tickMs) * tickMs : now + telling.afterMs;
    this.#waiting.push({ execution, dueAt });
    this.#tellAt(dueAt);
  }

  /** Tells what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer?.timeout);
    this.#tell(Number.POSITIVE_INFINITY);
  }

  #tellAt(at: number): void {
    if (this.#timer && this.#timer.at <= at) return;
    clearTimeout(this.#timer?.timeout);
    const onTime = () => {
      this.#timer = undefined;
      this.#tell(at);
      const next = Math.min(...this.#waiting.map(({ dueAt }) => dueAt));
      if (next < Number.POSITIVE_INFINITY) this.#tellAt(next);
    };
    this.#timer = { timeout: setTimeout(onTime, Math.max(0, at - performance.now())), at };
  }

  #tell(until: number): void {
    const { due = [], left = [] } = Object.groupBy(this.#waiting, ({ dueAt }) => (dueAt <= until ? 'due' : 'left'));
    this.#waiting = left;
    for (const { execution } of due) if (this.#outbox.untold(execution).length > 0) void this.#outbox.flush(execution);
  }
}

import type { Priority } from '@claude-cli/shared/amqp/topology';

/**
 * For how long a priority of which nothing could be had is no backlog, in milliseconds: what was said of it may be old, or hold for
 * others.
 */
const doubtMs = 250;

/** Of which priorities so much is ready, by the latest answers of task-service, that slots ask for it without tokens. */
export class Backlog {
  readonly #now: () => number;
  #told: readonly string[] = [];
  #doubtedUntil: Partial<Record<Priority, number>> = {};

  /** @param now milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * A question was answered.
   * @param priority of which it asked for one
   * @param told of which there is a backlog
   */
  answered(priority: Priority, isGranted: boolean, told: readonly string[]): void {
    this.#told = told;
    if (!isGranted) this.#doubtedUntil[priority] = this.#now() + doubtMs;
  }

  /** Whether slots may ask for it without a token. */
  has(priority: Priority): boolean {
    return this.#told.includes(priority) && (this.#doubtedUntil[priority] ?? Number.NEGATIVE_INFINITY) <= this.#now();
  }
}

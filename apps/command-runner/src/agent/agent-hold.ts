import { longestHoldMs } from './usage-limit.ts';

/**
 * Whether this runner takes agent work: not while the account's limit is reached. Commands go on meanwhile. Known to this
 * runner only, and for as long as it lives: another one learns it from its own first run.
 */
export class AgentHold {
  #until = 0;

  /** Take no agent work until then; a later end than the present one counts. */
  extend(until: Date): void {
    this.#until = Math.max(this.#until, Math.min(until.getTime(), Date.now() + longestHoldMs));
  }

  /** A run has shown that the agent can work. */
  release(): void {
    this.#until = 0;
  }

  /** Until when none is taken; undefined when it is. */
  get until(): Date | undefined {
    return this.#until > Date.now() ? new Date(this.#until) : undefined;
  }
}

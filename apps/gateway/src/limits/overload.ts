import { monitorEventLoopDelay } from 'node:perf_hooks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { RequestHandler } from 'express';
import type { GatewayConfig } from '../config.ts';
import { onceAnswered } from '../http/answered.ts';

/** How often the delay is looked at, and the histogram begun anew, in milliseconds. */
const lookMs = 1_000;
const resolutionMs = 10;

/** Refuses requests that could only be answered late and would delay all others. */
export class Overload implements Disposable {
  readonly #maxInFlight: number;
  readonly #maxDelayMs: number;
  readonly #histogram = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #look: NodeJS.Timeout;
  #inFlight = 0;
  /** Looks in a row that found the delay beyond its bound. */
  #late = 0;

  constructor(config: Pick<GatewayConfig, 'MAX_REQUESTS_IN_FLIGHT' | 'MAX_EVENT_LOOP_DELAY_MS'>) {
    this.#maxInFlight = config.MAX_REQUESTS_IN_FLIGHT;
    this.#maxDelayMs = config.MAX_EVENT_LOOP_DELAY_MS;
    this.#histogram.enable();
    this.#look = setInterval(() => {
      // The histogram measures from tick to tick, so an idle loop shows its resolution.
      const delayMs = this.#histogram.mean / 1e6 - resolutionMs;
      this.#late = delayMs > this.#maxDelayMs ? this.#late + 1 : 0;
      this.#histogram.reset();
    }, lookMs).unref();
  }

  /** Counts what is being answered. */
  readonly count: RequestHandler = (_request, response, next) => {
    this.#inFlight++;
    onceAnswered(response, () => this.#inFlight--);
    next();
  };

  /** @throws PlatformError SYSTEM_OVERLOADED when what is being answered, or the delay of the event loop, is beyond its bound */
  refuse(): void {
    const tooMany = this.#inFlight > this.#maxInFlight;
    // A single look may have met the start of the process or a large collection of garbage.
    if (!tooMany && this.#late < 2) return;
    throw new PlatformError('SYSTEM_OVERLOADED', 'The system is overloaded, try again later', {
      reason: tooMany ? 'requests in flight' : 'event loop delay',
    });
  }

  [Symbol.dispose](): void {
    clearInterval(this.#look);
    this.#histogram.disable();
  }
}

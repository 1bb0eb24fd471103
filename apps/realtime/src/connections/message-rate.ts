import type { Limits } from '../limits.ts';

/**
 * A token bucket that goes on counting below zero: messages above the rate are refused, and who goes on regardless is
 * abusive once as many were refused as a burst may hold.
 */
export class MessageRate {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at = performance.now();

  constructor({ messagesPerSecond, messageBurst }: Pick<Limits, 'messagesPerSecond' | 'messageBurst'>) {
    this.#perSecond = messagesPerSecond;
    this.#burst = messageBurst;
    this.#tokens = messageBurst;
  }

  /** Count a message. */
  take(now = performance.now()): 'taken' | 'refused' | 'abusive' {
    const refilled = this.#tokens + ((now - this.#at) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, refilled) - 1;
    this.#at = now;
    if (this.#tokens >= 0) return 'taken';
    return this.#tokens >= -this.#burst ? 'refused' : 'abusive';
  }
}

import type { Redis } from 'ioredis';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';

/** Length of the window in which requests are counted, in seconds. */
export const windowSeconds = 60;

/** What is left of a limit. */
export interface Allowance {
  /** Requests per window. */
  limit: number;
  /** Requests that are left in this window; 0 when this one was too many. */
  remaining: number;
  /** When the next window begins, in milliseconds since the epoch. */
  resetAt: number;
  /** Whether this request is within the limit. */
  granted: boolean;
}

/** Counts per key and window: in Redis for all replicas when there is one, else, and while it is away, in this process. */
export class Limiter {
  readonly #limit: number;
  readonly #counts: RateLimiterAbstract;

  /** @param name tells limiters of one Redis apart */
  constructor(name: string, limit: number, redis: Redis | undefined) {
    const options = { keyPrefix: `claude_cli:limit:${name}`, points: limit, duration: windowSeconds };
    const memory = new RateLimiterMemory(options);
    this.#limit = limit;
    this.#counts = redis ? new RateLimiterRedis({ ...options, storeClient: redis, insuranceLimiter: memory }) : memory;
  }

  /** Count one request of a key. */
  async take(key: string): Promise<Allowance> {
    try {
      return this.#allowance(await this.#counts.consume(key), true);
    } catch (thrown) {
      if (!(thrown instanceof RateLimiterRes)) throw thrown;
      return this.#allowance(thrown, false);
    }
  }

  /** Take back what was counted for a key. */
  async giveBack(key: string): Promise<void> {
    await this.#counts.reward(key);
  }

  #allowance({ remainingPoints, msBeforeNext }: RateLimiterRes, granted: boolean): Allowance {
    const remaining = Math.max(0, remainingPoints);
    return { limit: this.#limit, remaining, resetAt: Date.now() + Math.max(0, msBeforeNext), granted };
  }
}

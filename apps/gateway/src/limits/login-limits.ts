import { foldedKey } from '@claude-cli/shared/folded-key';
import type { Request } from 'express';
import type { Redis } from 'ioredis';
import { addressKey } from './client-address.ts';
import { Limiter } from './limiter.ts';
import { rateLimitExceeded } from './rate-limits.ts';

/** How many times as many failures one account, or one address, is allowed in all. */
const inAll = 10;

/**
 * Bounds on guessing passwords: failed sign-ins per minute to one account from one address, to one account from anywhere,
 * and from one address to any account. A sign-in that succeeds counts for nothing.
 */
export class LoginLimits {
  readonly #limiters: readonly { limiter: Limiter; keyOf(account: string, address: string): string }[];

  constructor(failuresPerMinute: number, redis: Redis | undefined) {
    this.#limiters = [
      {
        limiter: new Limiter('login', failuresPerMinute, redis),
        keyOf: (account, address) => `${address} ${account}`,
      },
      { limiter: new Limiter('login-account', failuresPerMinute * inAll, redis), keyOf: (account) => account },
      { limiter: new Limiter('login-address', failuresPerMinute * inAll, redis), keyOf: (_, address) => address },
    ];
  }

  /**
   * Sign in within the limits. Counted before the attempt, so that many at once are no way around.
   * @throws PlatformError RATE_LIMIT_EXCEEDED, and what the attempt throws
   */
  async attempt<Answer>(username: string, request: Request, signIn: () => Promise<Answer>): Promise<Answer> {
    const address = addressKey(request.ip);
    const account = foldedKey(username);
    for (const { limiter, keyOf } of this.#limiters) {
      const allowance = await limiter.take(keyOf(account, address));
      if (!allowance.granted) throw rateLimitExceeded(allowance);
    }
    const answer = await signIn();
    await Promise.all(this.#limiters.map(({ limiter, keyOf }) => limiter.giveBack(keyOf(account, address))));
    return answer;
  }
}

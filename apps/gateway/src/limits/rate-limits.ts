import type { Identity } from '@claude-cli/shared/accounts';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Request, Response } from 'express';
import type { Redis } from 'ioredis';
import type { GatewayConfig } from '../config.ts';
import { addressKey } from './client-address.ts';
import { type Allowance, Limiter, windowSeconds } from './limiter.ts';

type Limits = Pick<GatewayConfig, 'RATE_LIMIT_ANONYMOUS' | 'RATE_LIMIT_USER' | 'RATE_LIMIT_PREMIUM'>;

/** How many requests per minute anybody may send: by address, or by user once that is known. */
export class RateLimits {
  readonly #byAddress: Limiter;
  readonly #preflights: Limiter;
  readonly #byUser: Record<Identity['tier'], Limiter>;

  constructor(config: Limits, redis: Redis | undefined) {
    this.#byAddress = new Limiter('address', config.RATE_LIMIT_ANONYMOUS, redis);
    // Browsers ask before many of the requests of a user, for all users behind one address.
    this.#preflights = new Limiter('preflight', config.RATE_LIMIT_PREMIUM, redis);
    this.#byUser = {
      standard: new Limiter('user', config.RATE_LIMIT_USER, redis),
      premium: new Limiter('premium', config.RATE_LIMIT_PREMIUM, redis),
    };
  }

  /** Count a request and tell by headers what is left. @throws PlatformError RATE_LIMIT_EXCEEDED */
  async take(request: Request, response: Response, identity: Identity | undefined): Promise<void> {
    const allowance = identity
      ? await this.#byUser[identity.tier].take(identity.caller.user_id)
      : await this.#byAddress.take(addressKey(request.ip));
    tell(response, allowance);
  }

  /** Count what a browser asks before a request, by address. @throws PlatformError RATE_LIMIT_EXCEEDED */
  async takePreflight(request: Request, response: Response): Promise<void> {
    tell(response, await this.#preflights.take(addressKey(request.ip)));
  }
}

function tell(response: Response, allowance: Allowance): void {
  response.setHeader('X-RateLimit-Limit', allowance.limit);
  response.setHeader('X-RateLimit-Remaining', allowance.remaining);
  response.setHeader('X-RateLimit-Reset', Math.ceil(allowance.resetAt / 1000));
  response.setHeader('X-RateLimit-Window', windowSeconds);
  if (!allowance.granted) throw rateLimitExceeded(allowance);
}

/** The error for whoever asks too often. */
export function rateLimitExceeded({ limit, resetAt }: Allowance): PlatformError {
  return new PlatformError('RATE_LIMIT_EXCEEDED', 'Too many requests. Please try again later.', {
    limit,
    window: windowSeconds,
    reset_at: new Date(resetAt).toISOString(),
  });
}

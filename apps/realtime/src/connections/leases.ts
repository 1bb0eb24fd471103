import type { Logger } from '@claude-cli/shared/logger';
import type { Redis } from 'ioredis';
import type { Limits } from '../limits.ts';

/** Counts the connection ARGV[2] of a user for ARGV[3] ms, unless ARGV[1] others are counted. By the clock of Redis. */
const takeScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[2]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`;

/** Goes on counting the connections ARGV[2...] of a user for ARGV[1] ms. */
const renewScript = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for index = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[index]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])`;

const keyOf = (userId: string) => `claude_cli:live:connections:${userId}`;

/**
 * Counts the connections of each user over all replicas, in Redis. Each is counted for a time only, so those of a replica
 * that died are free soon. Without Redis, or while it is away, each replica counts for itself.
 */
export class ConnectionLeases {
  readonly #redis: Redis | undefined;
  readonly #limits: Pick<Limits, 'connectionsPerUser' | 'leaseMs'>;
  readonly #log: Logger;
  #away = false;

  constructor(redis: Redis | undefined, limits: Pick<Limits, 'connectionsPerUser' | 'leaseMs'>, log: Logger) {
    this.#redis = redis;
    this.#limits = limits;
    this.#log = log;
  }

  /** Count a connection. @returns false when the user has as many as are allowed */
  async take(userId: string, connectionId: string): Promise<boolean> {
    const { connectionsPerUser, leaseMs } = this.#limits;
    const taken = await this.#try((redis) =>
      redis.eval(takeScript, 1, keyOf(userId), connectionsPerUser, connectionId, leaseMs),
    );
    return taken !== 0;
  }

  /** Count it no more. Never rejects; what cannot be told to Redis ends by itself. */
  async release(userId: string, connectionId: string): Promise<void> {
    await this.#try((redis) => redis.zrem(keyOf(userId), connectionId));
  }

  /**
   * Go on counting connections.
   * @param byUser users with the ids of their connections, read one by one: what was released meanwhile must not be among them
   */
  async renew(byUser: Iterable<[userId: string, connectionIds: readonly string[]]>): Promise<void> {
    for (const [userId, connectionIds] of byUser) {
      await this.#try((redis) => redis.eval(renewScript, 1, keyOf(userId), this.#limits.leaseMs, ...connectionIds));
    }
  }

  async #try(run: (redis: Redis) => Promise<unknown>): Promise<unknown> {
    if (!this.#redis) return undefined;
    try {
      const answer = await run(this.#redis);
      this.#away = false;
      return answer;
    } catch (err) {
      if (!this.#away) this.#log.warn({ err }, 'connections are counted per replica while Redis is away');
      this.#away = true;
      return undefined;
    }
  }
}

import { Redis } from 'ioredis';
import type { Logger } from './logger.ts';

/** A client of Redis that fails fast: nothing waits for a Redis that is away. */
export interface RedisConnection extends AsyncDisposable {
  client: Redis;
}

/** Connect to Redis in the background, again and again. Commands fail at once while it is away. */
export function connectRedis(url: string, log: Logger): RedisConnection {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: 500,
    retryStrategy: (attempt) => Math.min(attempt * 200, 2_000),
  });
  let away = false;
  client.on('ready', () => {
    away = false;
    log.info('Redis connected');
  });
  client.on('error', (err: Error) => {
    // Told once per outage, not at each attempt to connect.
    if (!away) log.warn({ err: { message: err.message } }, 'Redis cannot be reached');
    away = true;
  });
  return {
    client,
    [Symbol.asyncDispose]: async () => client.disconnect(),
  };
}

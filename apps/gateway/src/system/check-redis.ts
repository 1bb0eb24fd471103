import type { RedisCheck } from '@claude-cli/proto/platform/v1/system';
import type { Redis } from 'ioredis';
import { formatBytes } from './get-system-info.ts';

/** Ask Redis how it is. */
export async function checkRedis(redis: Pick<Redis, 'info'> | undefined): Promise<RedisCheck> {
  if (redis === undefined) return { status: 'not_configured' };
  try {
    const info = await redis.info();
    return {
      status: 'healthy',
      memory_usage: formatBytes(factOf(info, 'used_memory')),
      connected_clients: factOf(info, 'connected_clients'),
    };
  } catch {
    return { status: 'unhealthy' };
  }
}

function factOf(info: string, name: string): number {
  const value = new RegExp(`^${name}:(\\d+)\\r?$`, 'm').exec(info)?.[1];
  if (value === undefined) throw new Error(`Redis did not tell ${name}`);
  return Number(value);
}

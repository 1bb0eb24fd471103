import type { Health } from '@claude-cli/proto/platform/v1/system';
import type { GatewayContext } from '../context.ts';
import { version } from '../version.ts';

/** Whoever gets this answer knows that the platform answers. */
export async function getHealth({ startedAt }: GatewayContext): Promise<Health> {
  return {
    status: 'healthy',
    timestamp: new Date().toISOString(),
    uptime: Math.floor((performance.now() - startedAt) / 1000),
    version,
  };
}

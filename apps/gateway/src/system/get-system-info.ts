import type { SystemInfo } from '@claude-cli/proto/platform/v1/system';
import { defaultLimits } from '@claude-cli/shared/limits';
import type { GatewayContext } from '../context.ts';
import { version } from '../version.ts';

/** Version, features and limits of this installation. */
export async function getSystemInfo({ config }: GatewayContext): Promise<SystemInfo> {
  return {
    version,
    environment: config.NODE_ENV,
    features: {
      websocket_enabled: true,
      redis_enabled: config.REDIS_URL !== undefined,
      monitoring_enabled: true,
    },
    limits: {
      max_tasks_per_project: defaultLimits.max_tasks,
      max_concurrent_tasks: defaultLimits.max_concurrent_tasks,
      max_file_size: formatBytes(config.BODY_LIMIT_BYTES),
    },
  };
}

const units = ['B', 'KB', 'MB', 'GB', 'TB'];

/** A size for people, in steps of 1024, with at most one decimal: "10MB". */
export function formatBytes(bytes: number): string {
  const step = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${Math.round((bytes / 1024 ** step) * 10) / 10}${units[step]}`;
}

import type { Diagnosis } from '@claude-cli/proto/platform/v1/system';
import type { Context } from '../context.ts';

/** How the live connections of this process are doing. */
export function diagnosisOf({ feed, connections }: Context): Pick<Diagnosis, 'websocket'> {
  return {
    websocket: {
      status: feed.connected ? 'healthy' : 'degraded',
      active_connections: connections.size,
      avg_latency: connections.meanLatency,
    },
  };
}

import type { GetQueueStatusRequest, QueueStatus } from '@claude-cli/proto/platform/v1/queues';
import type { Context } from '../context.ts';
import { recentOverview } from './overview.ts';

/** How the queues are doing. */
export async function getQueueStatus(ctx: Context, _request: GetQueueStatusRequest): Promise<QueueStatus> {
  const { status } = await recentOverview(ctx);
  return status;
}

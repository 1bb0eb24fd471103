import type { QueueName_Name, QueueServiceService, QueueSize, QueueStatus } from '@claude-cli/proto/platform/v1/queues';
import { serviceCaller } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import { newId } from '@claude-cli/shared/ids';

/** Names of the queues. */
export const queueNames = ['high_priority', 'normal_priority', 'low_priority'] as const satisfies QueueName_Name[];

/** How the queues are doing, as `GET /api/queues/status` answers it; of one queue when only that was asked for. */
export interface QueuesTold extends Omit<QueueStatus, 'queues'> {
  queues: { [Name in QueueName_Name]?: QueueSize & { pause_reason: string | null } };
}

/** Ask how the queues are doing. @throws PlatformError when task-service cannot tell */
export async function askQueues(queues: RpcClient<typeof QueueServiceService>): Promise<QueuesTold> {
  const origin = { caller: serviceCaller('realtime'), requestId: newId() };
  const { queues: sizes, workers, performance } = await queues.getQueueStatus({}, origin);
  if (!sizes) throw new PlatformError('UPSTREAM_ERROR', 'task-service told of no queues', { service: 'task-service' });
  const told = queueNames.map((name) => [name, toTold(sizes[name])] as const);
  return { queues: Object.fromEntries(told), workers, performance };
}

/** What is told of one queue, or of all. */
export function narrowed(status: QueuesTold, name: string): QueuesTold {
  const [wanted] = queueNames.filter((each) => each === name);
  return wanted ? { ...status, queues: { [wanted]: status.queues[wanted] } } : status;
}

function toTold(size: QueueSize | undefined): QueueSize & { pause_reason: string | null } {
  const { size: waiting = 0, processing = 0, completed_today = 0, paused = false, pause_reason = null } = size ?? {};
  return { size: waiting, processing, completed_today, paused, pause_reason } as QueueSize & {
    pause_reason: string | null;
  };
}

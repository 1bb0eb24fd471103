import type { QueueServiceService } from '@claude-cli/proto/platform/v1/queues';
import { serviceCaller } from '@claude-cli/shared/caller';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import { newId } from '@claude-cli/shared/ids';
import type { Connections } from '../connections/connections.ts';
import type { Machine } from './machine.ts';

/** How this process and the platform are doing, as clients are told. */
export interface PerformanceData {
  /** Percent of the processors of the container, or the machine, that this process is on. */
  cpu_usage: number;
  memory_usage: number;
  /** Live connections of this process. */
  active_connections: number;
  /** Executions that ended in the last minute. */
  tasks_per_minute: number;
  /** Executions that wait. */
  queue_sizes: { high: number; normal: number; low: number };
}

/** What it is measured by. */
export interface PerformanceParts {
  machine: Machine;
  connections: Connections;
  queues: RpcClient<typeof QueueServiceService>;
}

/** Measure now. @throws PlatformError when task-service cannot tell */
export async function measure({ machine, connections, queues }: PerformanceParts): Promise<PerformanceData> {
  const origin = { caller: serviceCaller('realtime'), requestId: newId() };
  const [usage, load] = await Promise.all([machine.usage(), queues.getQueueLoad({}, origin)]);
  const { tasks_per_minute, high, normal, low } = load;
  return {
    ...usage,
    active_connections: connections.size,
    tasks_per_minute,
    queue_sizes: { high, normal, low },
  };
}

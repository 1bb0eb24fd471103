import type { QueueMetrics } from '@claude-cli/proto/platform/v1/queues';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import { Recent } from '@claude-cli/shared/recent';
import type { Connection } from 'mongoose';
import type { Overview } from './overview.ts';
import { openQueueStates, type QueueStateModel } from './queue-state.ts';
import { type RollupModel, rollupModel } from './rollups.ts';
import { type RunnerModel, runnerModel } from './runners.ts';

/** What the queues need besides the executions themselves. */
export interface Queues {
  states: QueueStateModel;
  runners: RunnerModel;
  rollups: RollupModel;
  outbox: Outbox<AnyEvent>;
  /** See recentOverview. */
  overviews: Recent<Overview>;
  /** Metrics by period. */
  metrics: Recent<QueueMetrics>;
}

/** How long answers are used, in milliseconds. */
const fresh = { overview: 1_000, metrics: 2_000 };

/** Open what the queues need. Resolves when indexes and states are there. @param tell makes an event known */
export async function openQueues(
  connection: Connection,
  tell: (event: AnyEvent) => Promise<void>,
  log: Logger,
): Promise<Queues> {
  const runners = runnerModel(connection);
  const rollups = rollupModel(connection);
  const [states] = await Promise.all([openQueueStates(connection), runners.init(), rollups.init()]);
  return {
    states,
    runners,
    rollups,
    outbox: new Outbox(states.collection, tell, log),
    overviews: new Recent({ freshMs: fresh.overview, usableMs: fresh.overview, max: 1 }),
    metrics: new Recent({ freshMs: fresh.metrics, usableMs: fresh.metrics, max: 4 }),
  };
}

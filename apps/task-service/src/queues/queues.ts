import type { QueueMetrics } from '@claude-cli/proto/platform/v1/queues';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import { Recent } from '@claude-cli/shared/recent';
import type { Connection } from 'mongoose';
import type { ExecutionModel } from '../executions/execution.ts';
import { NewlyReady } from './newly-ready.ts';
import type { Overview } from './overview.ts';
import { QueueSizes } from './queue-sizes.ts';
import { openQueueStates, type QueueStateModel } from './queue-state.ts';
import { ReadyPlaces } from './ready-places.ts';
import { type RollupModel, rollupModel } from './rollups.ts';
import { type RunnerModel, runnerModel } from './runners.ts';

/** What the queues need besides the executions themselves. */
export interface Queues {
  states: QueueStateModel;
  runners: RunnerModel;
  rollups: RollupModel;
  outbox: Outbox<AnyEvent>;
  sizes: QueueSizes;
  newlyReady: NewlyReady;
  places: ReadyPlaces;
  /** See recentOverview. */
  overviews: Recent<Overview>;
  /** See forecastOverview. */
  forecasts: Recent<Overview>;
  /** Executions that ended lately; see getQueueLoad. */
  finished: Recent<number>;
  /** Metrics by period. */
  metrics: Recent<QueueMetrics>;
}

/** How long answers are used, in milliseconds. */
const fresh = { overview: 1_000, forecast: 1_000, finished: 1_000, metrics: 2_000 };
/** How long a forecast is used while there is a new one to come, in milliseconds. */
const usableForecastMs = 10_000;

/**
 * Open what the queues need. Resolves when states are there.
 * @param executions what is queued, and limit how many may be in one queue
 * @param tell makes an event known
 */
export async function openQueues(
  connection: Connection,
  { executions, limit }: { executions: ExecutionModel; limit: number },
  tell: (event: AnyEvent) => Promise<void>,
  log: Logger,
): Promise<Queues> {
  const runners = runnerModel(connection);
  const rollups = rollupModel(connection);
  const states = await openQueueStates(connection);
  const sizes = new QueueSizes(executions, limit);
  const newlyReady = new NewlyReady(sizes);
  return {
    states,
    runners,
    rollups,
    outbox: new Outbox(states.collection, tell, log),
    sizes,
    newlyReady,
    places: new ReadyPlaces(executions, newlyReady, limit),
    overviews: new Recent({ freshMs: fresh.overview, usableMs: fresh.overview, max: 1 }),
    forecasts: new Recent({ freshMs: fresh.forecast, usableMs: usableForecastMs, max: 1 }),
    finished: new Recent({ freshMs: fresh.finished, usableMs: fresh.finished, max: 1 }),
    metrics: new Recent({ freshMs: fresh.metrics, usableMs: fresh.metrics, max: 4 }),
  };
}

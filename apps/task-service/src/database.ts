import type { Database } from '@claude-cli/shared/migrations/database';
import { deadLetterModel } from './dead-letters/dead-letter.ts';
import { executionModel } from './executions/execution.ts';
import { fairPlaceModel } from './executions/fair-order.ts';
import { slotModel } from './executions/slots.ts';
import { historyModel } from './history/history.ts';
import { usageModel } from './limits/project-usage.ts';
import { queueStateModel } from './queues/queue-state.ts';
import { rollupModel } from './queues/rollups.ts';
import { runnerModel } from './queues/runners.ts';
import { retiredIndexes } from './retired-indexes.ts';
import { taskModel } from './tasks/task.ts';

/** The database of task-service. */
export const database: Database = {
  name: 'tasks',
  models: (connection) => [
    taskModel(connection),
    historyModel(connection),
    executionModel(connection),
    slotModel(connection),
    fairPlaceModel(connection),
    usageModel(connection),
    deadLetterModel(connection),
    queueStateModel(connection),
    runnerModel(connection),
    rollupModel(connection),
  ],
  retired: retiredIndexes,
};

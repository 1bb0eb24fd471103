import { AnalyticsServiceService } from '@claude-cli/proto/platform/v1/analytics';
import { ExecutionServiceService } from '@claude-cli/proto/platform/v1/executions';
import { QueueServiceService } from '@claude-cli/proto/platform/v1/queues';
import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { eventPattern } from '@claude-cli/shared/event-routing';
import type { AnyEvent, PlatformEvent } from '@claude-cli/shared/events';
import { serve } from '@claude-cli/shared/grpc/server';
import { retentionLookMs } from '@claude-cli/shared/retention';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { getProjectAnalytics } from './analytics/get-project-analytics.ts';
import { type Context, createContext, settingNames } from './context.ts';
import { boundDeadLetters, dropOutdatedDeadLetters } from './dead-letters/bound-dead-letters.ts';
import { keepDeadLetters } from './dead-letters/keep-dead-letters.ts';
import { listDeadLetters } from './dead-letters/list-dead-letters.ts';
import { replayDeadLetters } from './dead-letters/replay-dead-letters.ts';
import { awaitExecutions, endAwaiting } from './executions/await-executions.ts';
import { cancelTask } from './executions/cancel-task.ts';
import { claimExecution } from './executions/claim-execution.ts';
import { dropOutdatedExecutions } from './executions/drop-outdated-executions.ts';
import { executeTask } from './executions/execute-task.ts';
import { getTaskExecution } from './executions/get-task-execution.ts';
import { renewLease } from './executions/renew-lease.ts';
import { retryTask } from './executions/retry-task.ts';
import { releaseLeftSlots } from './executions/slots.ts';
import { endExpired, wakeDue } from './executions/sweep.ts';
import { takeResult } from './executions/take-result.ts';
import { dropOutdatedHistory } from './history/drop-outdated-history.ts';
import { getProjectActivity } from './history/get-project-activity.ts';
import { getTaskHistory } from './history/get-task-history.ts';
import { releaseLeftReservations } from './limits/task-room.ts';
import { changeQueuePriority } from './queues/change-queue-priority.ts';
import { clearQueue } from './queues/clear-queue.ts';
import { getQueueLoad } from './queues/get-queue-load.ts';
import { getQueueMetrics } from './queues/get-queue-metrics.ts';
import { getQueueStatus } from './queues/get-queue-status.ts';
import { pauseQueue } from './queues/pause-queue.ts';
import { reportRunner } from './queues/report-runner.ts';
import { resumeQueue } from './queues/resume-queue.ts';
import { rollUp } from './queues/rollups.ts';
import { watchQueues } from './queues/watch-queues.ts';
import { runDue } from './schedules/run-due.ts';
import { bulkUpdateTasks } from './tasks/bulk-update-tasks.ts';
import { cloneTasks } from './tasks/clone-tasks.ts';
import { createTask } from './tasks/create-task.ts';
import { deleteTask } from './tasks/delete-task.ts';
import { followProjects } from './tasks/follow-projects.ts';
import { getTask } from './tasks/get-task.ts';
import { listTasks } from './tasks/list-tasks.ts';
import { restoreTasks } from './tasks/restore-tasks.ts';
import { getProjectStatistics, getUserTaskStatistics } from './tasks/statistics.ts';
import { updateTask } from './tasks/update-task.ts';
import { upgradeTasks } from './tasks/upgrade-tasks.ts';

/** What is looked after again and again. */
export const timers: NonNullable<Service<never, Context>['runs']> = [
  (ctx) => every(10_000, 'counting the dead letters', () => boundDeadLetters(ctx), ctx.log),
  (ctx) => every(retentionLookMs, 'dropping old executions', () => dropOutdatedExecutions(ctx), ctx.log),
  (ctx) => every(retentionLookMs, 'dropping old histories', () => dropOutdatedHistory(ctx), ctx.log),
  (ctx) => every(retentionLookMs, 'dropping old dead letters', () => dropOutdatedDeadLetters(ctx), ctx.log),
  (ctx) => every(1_000, 'waking executions that are due', () => wakeDue(ctx), ctx.log),
  (ctx) => every(1_000, 'running what is scheduled', () => runDue(ctx), ctx.log),
  (ctx) => every(1_000, 'ending expired executions', () => endExpired(ctx), ctx.log),
  (ctx) => every(10_000, 'reading the queues', () => watchQueues(ctx), ctx.log),
  (ctx) => every(10_000, 'rolling up what happened in the queues', () => rollUp(ctx), ctx.log),
  (ctx) => every(60_000, 'releasing left reservations of tasks', () => releaseLeftReservations(ctx), ctx.log),
  (ctx) => every(20_000, 'upgrading tasks', () => upgradeTasks(ctx.tasks), ctx.log),
  (ctx) => every(60_000, 'releasing left slots', () => releaseLeftSlots(ctx), ctx.log),
  (ctx) => every(2_000, 'telling what was left in the task outbox', () => ctx.taskOutbox.sweep(), ctx.log),
  (ctx) => every(2_000, 'telling what was left in the execution outbox', () => ctx.executionOutbox.sweep(), ctx.log),
  (ctx) => every(2_000, 'telling what was left in the queue outbox', () => ctx.queues.outbox.sweep(), ctx.log),
];

/** Tasks, their dependencies and history, executions and queues. */
export const taskService: Service<(typeof settingNames)[number], Context> = {
  name: 'task-service',
  settings: settingNames,
  context: createContext,
  serves: [
    serve(TaskServiceService, {
      createTask,
      listTasks,
      listProjectTasks: listTasks,
      getTask,
      bulkUpdateTasks,
      updateTask,
      deleteTask,
      getTaskHistory,
      executeTask,
      cancelTask,
      retryTask,
      getTaskExecution,
      cloneTasks,
      restoreTasks,
      getProjectStatistics,
      getProjectActivity,
      getUserTaskStatistics,
    }),
    serve(AnalyticsServiceService, { getProjectAnalytics }),
    serve(ExecutionServiceService, { claimExecution, awaitExecutions, endAwaiting, renewLease, reportRunner }),
    serve(QueueServiceService, {
      getQueueStatus,
      pauseQueue,
      resumeQueue,
      clearQueue,
      getQueueMetrics,
      listDeadLetters,
      replayDeadLetters,
      changeQueuePriority,
      getQueueLoad,
    }),
  ],
  runs: [
    ({ bus, access }) =>
      bus.subscribe<AnyEvent>(
        { exchange: 'events', patterns: [eventPattern('project')], prefetch: 100 },
        async (event) => access.forget(event),
      ),
    (ctx) =>
      ctx.bus.subscribe<AnyEvent>(
        {
          queue: ctx.bus.names.serviceQueue('task-service.projects'),
          exchange: 'events',
          patterns: [eventPattern('project.deleted')],
          prefetch: 1,
        },
        (event) => followProjects(ctx, event),
      ),
    (ctx) =>
      ctx.bus.subscribe<PlatformEvent<'execution.finished'>>(
        {
          queue: ctx.bus.names.serviceQueue('task-service.results'),
          exchange: 'events',
          patterns: [eventPattern('execution.finished')],
          prefetch: 20,
        },
        (event) => takeResult(ctx, event),
      ),
    keepDeadLetters,
    ...timers,
  ],
};

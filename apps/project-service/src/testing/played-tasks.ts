import {
  type CloneTasksRequest,
  type RestoreTasksRequest,
  type RestoreTasksResponse,
  TaskServiceService,
} from '@claude-cli/proto/platform/v1/tasks';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { serve } from '@claude-cli/shared/grpc/server';

/** task-service as the tests of this service play it. It depends on this service, so that the real one cannot be had here. */
export interface PlayedTasks {
  /** Ids of projects that have one more task, which is running. */
  busyProjects: Set<string>;
  /** How many pending tasks projects have. */
  pending: Map<string, number>;
  /** What happens, and may fail, before the tasks of a project are copied. */
  beforeCopying: (request: CloneTasksRequest) => Promise<void>;
  /** What RestoreTasks answers. */
  restore: (request: RestoreTasksRequest, call: Origin) => Promise<RestoreTasksResponse>;
}

/** Nothing is running, nothing to copy, nothing to restore. */
export function playedTasks(): PlayedTasks {
  return {
    busyProjects: new Set(),
    pending: new Map(),
    beforeCopying: async () => {},
    restore: async () => ({ tasks: [], skipped: [] }),
  };
}

const { cloneTasks, restoreTasks, getProjectStatistics, getProjectActivity, getUserTaskStatistics } =
  TaskServiceService;

/** The part of task-service that is asked for. */
export function serveTasks(played: PlayedTasks) {
  const none = { completed_tasks: 0, failed_tasks: 0, completion_rate: 0 };
  const countsOf = (id: string) => {
    const running_tasks = played.busyProjects.has(id) ? 1 : 0;
    const pending_tasks = played.pending.get(id) ?? 0;
    return { ...none, running_tasks, pending_tasks, total_tasks: pending_tasks + running_tasks };
  };
  return serve(
    { cloneTasks, restoreTasks, getProjectStatistics, getProjectActivity, getUserTaskStatistics },
    {
      cloneTasks: async (_: unknown, request) => {
        await played.beforeCopying(request);
        const count = countsOf(request.from_project_id).total_tasks;
        played.pending.set(request.to_project_id, count);
        return { count };
      },
      restoreTasks: (_: unknown, request, call) => played.restore(request, call),
      getProjectStatistics: async (_: unknown, { project_ids }) => ({
        statistics: Object.fromEntries(project_ids.map((id) => [id, countsOf(id)])),
      }),
      getProjectActivity: async () => ({ activity: [] }),
      getUserTaskStatistics: async () => ({ tasks_created: 3, tasks_completed: 2 }),
    },
  );
}

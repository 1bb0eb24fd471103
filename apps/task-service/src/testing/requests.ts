import type { CreateTaskRequest, UpdateTaskRequest } from '@claude-cli/proto/platform/v1/tasks';

/** A request for a new task. */
export function newTask(project_id: string, given: Partial<CreateTaskRequest> = {}): CreateTaskRequest {
  return { title: 'Write the docs', project_id, tags: [], dependencies: [], ...given };
}

/** A request to change a task. */
export function change(task_id: string, given: Partial<UpdateTaskRequest>): UpdateTaskRequest {
  return { task_id, tags: [], dependencies: [], cleared_fields: [], ...given };
}

import { Batches } from '@claude-cli/shared/batches';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import type { Task } from '../tasks/task.ts';
import { followDependencies, followTasks } from './wait-for-dependencies.ts';

/** Tasks that are looked after together at most. */
const most = 200;

/** A task as it was written with its news, or later; only its id and its news where they were left for the sweep. */
export type ToldTask = Pick<Task, '_id' | 'outbox'> & Partial<Pick<Task, 'status' | 'awaited'>>;

/** Lets executions that wait for tasks hear of them. Harmless when told again. */
export class Followers {
  readonly #ctx: Context;
  readonly #ended: Batches<string, undefined>;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#ended = new Batches(
      async (task_ids) => {
        await followTasks(ctx, task_ids);
        return task_ids.map(() => undefined);
      },
      { most },
    );
  }

  /** Look at what waits for a task when the task's news may matter to it. */
  async hear(event: AnyEvent, task: ToldTask): Promise<void> {
    switch (event.type) {
      case 'task.completed':
      case 'task.failed':
      case 'task.cancelled':
      case 'task.deleted':
        if (task.status !== undefined && !task.awaited) return;
        return this.#ended.add(event.data.task_id);
      case 'task.updated':
        if (event.data.changes.some(({ field }) => field === 'dependencies'))
          return followDependencies(this.#ctx, event.data.task_id);
    }
  }
}

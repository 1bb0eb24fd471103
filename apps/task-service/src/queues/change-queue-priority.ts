import type { ChangedQueuePriority, ChangeQueuePriorityRequest } from '@claude-cli/proto/platform/v1/queues';
import type { ItemError } from '@claude-cli/proto/platform/v1/tasks';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { type Execution, entry, rankOf } from '../executions/execution.ts';
import { nextPlace } from '../executions/fair-order.ts';
import { requireRoom } from '../executions/queue-execution.ts';
import { findTaskToChange } from '../tasks/find-task.ts';
import { forgetOverview } from './overview.ts';

/** Move the waiting executions of tasks to another queue, one after the other, so that the room there is counted right. */
export async function changeQueuePriority(
  ctx: Context,
  { task_ids, priority }: ChangeQueuePriorityRequest,
  call: Call,
): Promise<ChangedQueuePriority> {
  if (priority === undefined) throw invalidField('priority', 'is required', 'VALIDATION_REQUIRED_FIELD');
  const successful: string[] = [];
  const errors: ItemError[] = [];
  for (const task_id of new Set(task_ids)) {
    try {
      await moveTask(ctx, task_id, priority, call);
      successful.push(task_id);
    } catch (thrown) {
      const { code, message, isFault, cause } = PlatformError.from(thrown);
      if (isFault) call.log.error({ err: cause ?? thrown, task_id }, 'moving an execution failed');
      errors.push({ task_id, code, message });
    }
  }
  forgetOverview(ctx);
  const failed = errors.map(({ task_id }) => task_id);
  return { priority, affected_count: successful.length, successful, failed, errors };
}

async function moveTask(ctx: Context, task_id: string, priority: Priority, call: Call): Promise<void> {
  await findTaskToChange(ctx, task_id, call);
  const execution = await ctx.executions.findOne({ task_id, active: true }).lean();
  if (execution?.status !== 'queued') {
    const why = execution ? 'The execution of the task runs already' : 'The task does not wait in a queue';
    throw new PlatformError('RESOURCE_CONFLICT', why, { task_id });
  }
  if (execution.priority === priority) return;
  await requireRoom(ctx, priority);
  const { sizes, newlyReady } = ctx.queues;
  const isReady = execution.waiting_for === 'turn';
  newlyReady.delete(execution);
  const moved = await sizes.adding(priority, isReady, () => move(ctx, execution, priority));
  // One that had just left its queue has not come into the other.
  sizes.left(moved ? execution.priority : priority, isReady);
  if (moved) void ctx.executionOutbox.flush(moved);
  else throw new PlatformError('RESOURCE_CONFLICT', 'The execution of the task has just left its queue', { task_id });
}

/**
 * The new generation voids what was read of it before. The fence goes: it is of the old queue's pauses. One that is ready is
 * placed in the new queue; one that waits for something goes on doing so.
 */
async function move(ctx: Context, execution: Execution, priority: Priority): Promise<Execution | null> {
  const { _id, project_id, generation, waiting_for } = execution;
  const moved = { priority, rank: rankOf(priority), fence: 0 };
  const hasPlace = waiting_for !== 'backoff' && waiting_for !== 'dependency';
  const place = hasPlace ? { fair_at: await nextPlace(ctx, project_id, priority) } : {};
  return ctx.executions
    .findOneAndUpdate(
      { _id, status: 'queued', generation, waiting_for },
      waiting_for === 'turn'
        ? { $set: { ...moved, ...place }, $inc: { generation: 1 }, $push: { outbox: entry('queued', generation + 1) } }
        : { $set: { ...moved, ...place }, $inc: { generation: 1 } },
      { returnDocument: 'after' },
    )
    .lean();
}

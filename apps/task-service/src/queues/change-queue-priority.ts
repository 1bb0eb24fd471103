import type { ChangedQueuePriority, ChangeQueuePriorityRequest } from '@claude-cli/proto/platform/v1/queues';
import type { ItemError } from '@claude-cli/proto/platform/v1/tasks';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { type Execution, entry, isBackingOff, nextAnnouncement, rankOf } from '../executions/execution.ts';
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
  const moved = await move(ctx, execution, priority);
  if (moved) void ctx.executionOutbox.flush(moved);
  else throw new PlatformError('RESOURCE_CONFLICT', 'The execution of the task has just left its queue', { task_id });
}

/**
 * The new generation voids the message in the old queue. The fence goes: it is of the old queue's pauses. An attempt that
 * waits out its pause goes on doing so and is announced in the new queue when that is over.
 */
function move({ executions }: Context, execution: Execution, priority: Priority): Promise<Execution | null> {
  const { _id, generation, announcements } = execution;
  const moved = { priority, rank: rankOf(priority), fence: 0, deferred: false };
  const next = generation + 1;
  return executions
    .findOneAndUpdate(
      { _id, status: 'queued', generation },
      isBackingOff(execution)
        ? { $set: moved, $inc: { generation: 1 } }
        : {
            $set: { ...moved, due_at: nextAnnouncement(announcements) },
            $inc: { generation: 1 },
            $push: { outbox: entry('queued', next) },
          },
      { returnDocument: 'after' },
    )
    .lean();
}

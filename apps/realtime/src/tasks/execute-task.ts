import { requirePermission } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { ClientMessage } from '../messages/client-message.ts';
import type { Subscriber } from '../subscriptions/hub.ts';
import { begin, end, start } from '../subscriptions/ledger.ts';
import { projectOfTask } from '../subscriptions/locate.ts';
import { type Target, topicOf } from '../subscriptions/subscription.ts';

/** Put a task into a queue. Who asked hears of the task from before it is queued, so that nothing is missed. */
export async function executeTask(
  ctx: Context,
  subscriber: Subscriber,
  { task_id, priority, options }: ClientMessage<'execute_task'>,
): Promise<Answer> {
  const { origin } = subscriber;
  // The gateway checks permissions of its routes; this way in is not one of them.
  requirePermission(origin.caller, 'execute');
  ctx.maintenance.refuseWrites();
  const target: Target = { channel: 'task_updates', field: 'task_id', id: task_id.toLowerCase() };
  const projectId = await projectOfTask(ctx, origin, target.id);
  const begun = await begin(ctx, subscriber, { ...target, projectId, automatic: true });
  start(ctx, begun.listening);
  try {
    return {
      type: 'task_queued',
      data: await ctx.tasks.executeTask({ task_id: target.id, priority, options }, origin),
    };
  } catch (thrown) {
    // An answer that did not come in time says nothing: the task may well be in the queue.
    const refused = PlatformError.from(thrown).code !== 'UPSTREAM_ERROR';
    if (!begun.known && refused) await end(ctx, subscriber, topicOf(target));
    throw thrown;
  }
}

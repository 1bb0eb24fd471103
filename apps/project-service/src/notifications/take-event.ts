import type { Context } from '../context.ts';
import { contentOf, type NotifyingEvent } from './content.ts';
import { everybody } from './notification.ts';
import { notify } from './notify.ts';
import { recipientIfWanted, recipientsOfTask } from './recipients.ts';

/** Types of the events that users are notified of. */
export const notifyingEvents = [
  'task.completed',
  'task.failed',
  'task.cancelled',
  'system.maintenance',
  'system.alert',
  'webhook.disabled',
] as const satisfies NotifyingEvent['type'][];

/** Notify whom an event concerns. */
export async function takeEvent(ctx: Context, event: NotifyingEvent): Promise<void> {
  const content = contentOf(event);
  const audiences = await audiencesOf(ctx, event, content.kind);
  await Promise.all(audiences.map((audience) => notify(ctx, event, content, audience)));
}

async function audiencesOf(
  ctx: Context,
  event: NotifyingEvent,
  kind: ReturnType<typeof contentOf>['kind'],
): Promise<string[]> {
  switch (event.type) {
    case 'system.maintenance':
    case 'system.alert':
      return [everybody];
    case 'webhook.disabled':
      return recipientIfWanted(ctx, event.data.owner_id, kind);
    default:
      return recipientsOfTask(ctx, event, kind);
  }
}

import type { AnyEvent, AuditAct, PlatformEvent } from '@claude-cli/shared/events';
import { isId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import type { AuditAction } from './record.ts';
import { keep, keepingOf } from './write.ts';

/** Types of the events that the audit log is told. Other changes of accounts it is told by themselves: see acts-of-change.ts. */
export const auditedEvents = [
  'user.created',
  'project.updated',
  'project.deleted',
  'task.deleted',
  'command.finished',
  'system.maintenance',
  'queue.paused',
  'queue.resumed',
  'queue.cleared',
  'webhook.created',
  'webhook.updated',
  'webhook.disabled',
  'webhook.deleted',
] as const satisfies AnyEvent['type'][];

type AuditedEvent = Extract<AnyEvent, { type: (typeof auditedEvents)[number] }>;

/** What an event says that the audit log keeps. */
export type Told = Pick<AuditAct, 'action' | 'target' | 'details'>;

/** Keep a record of an event, under the event's id. */
export async function takeEvent(ctx: Context, event: AuditedEvent): Promise<void> {
  const told = toldBy(event);
  if (!told) return;
  const { id, actor, project_id } = event;
  const common = { outcome: 'success', address: null, request_id: null } as const;
  await keep(keepingOf(ctx), { id, time: new Date(event.time), actor, project_id, ...common, ...told });
}

/** What an event tells; undefined for what is no matter of the audit log. */
export function toldBy(event: AuditedEvent): Told | undefined {
  switch (event.type) {
    case 'user.created':
      return told('user.created', 'user', event.data.user_id, {
        username: event.data.username,
        role: event.data.role,
      });
    case 'project.updated':
      return memberChange(event);
    case 'project.deleted':
      return told('project.deleted', 'project', event.project_id, { name: event.data.name });
    case 'task.deleted':
      return told('task.deleted', 'task', event.data.task_id, { title: event.data.title });
    case 'command.finished':
      return event.data.forced
        ? told('command.forced', 'command', event.data.command_id, { exit_code: event.data.exit_code })
        : undefined;
    case 'system.maintenance': {
      // That its time has come is told by a service.
      const { status, starts_at, ends_at } = event.data;
      return isId(event.actor)
        ? told('maintenance.changed', 'maintenance', 'maintenance', { status, starts_at, ends_at })
        : undefined;
    }
    case 'queue.paused':
    case 'queue.resumed':
      return told(event.type, 'queue', event.data.queue_name, {});
    case 'queue.cleared':
      return told(event.type, 'queue', event.data.queue_name, { cleared_count: event.data.cleared_count });
    default:
      return webhookChange(event);
  }
}

function told(action: AuditAction, type: string, id: string | null, details: Record<string, unknown>): Told {
  return { action, target: id === null ? null : { type, id }, details };
}

function memberChange({ data, project_id }: PlatformEvent<'project.updated'>): Told | undefined {
  const change = data.changes.find(({ field }) => field === 'members');
  if (!change) return undefined;
  const before = change.old_value as { user_id: string; role: string } | null;
  const after = change.new_value as { user_id: string; role: string } | null;
  const action = !before ? 'project.member_added' : after ? 'project.member_changed' : 'project.member_removed';
  const details = { user_id: (after ?? before)?.user_id, from: before?.role ?? null, to: after?.role ?? null };
  return told(action, 'project', project_id, details);
}

function webhookChange(event: Extract<AuditedEvent, { type: `webhook.${string}` }>): Told {
  const rotated = event.type === 'webhook.updated' && event.data.changed_fields.includes('secret');
  const details = event.type === 'webhook.updated' ? { changed_fields: event.data.changed_fields } : {};
  return told(rotated ? 'webhook.secret_rotated' : event.type, 'webhook', event.data.webhook_id, details);
}

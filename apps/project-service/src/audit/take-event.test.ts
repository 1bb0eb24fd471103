import { type AnyEvent, type EventCatalog, newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { expect, test } from '@jest/globals';
import { auditedEvents, toldBy } from './take-event.ts';

type Audited = Parameters<typeof toldBy>[0];
const [actor, project_id] = [newId(), newId()];

function toldOf<Type extends Audited['type']>(type: Type, data: Partial<EventCatalog[Type]>, by = actor) {
  return toldBy(newEvent(type, { actor: by, project_id }, data as EventCatalog[Type]) as AnyEvent as Audited);
}

test('what an event tells', () => {
  const project = { type: 'project', id: project_id };
  expect(toldOf('project.deleted', { name: 'Apollo' })).toEqual({
    action: 'project.deleted',
    target: project,
    details: { name: 'Apollo' },
  });
  expect(toldOf('task.deleted', { task_id: 't', title: 'Write' })).toMatchObject({
    action: 'task.deleted',
    target: { type: 'task', id: 't' },
  });
  expect(toldOf('queue.cleared', { queue_name: 'high', cleared_count: 3 })).toMatchObject({
    action: 'queue.cleared',
    target: { type: 'queue', id: 'high' },
    details: { cleared_count: 3 },
  });
  expect(toldOf('webhook.updated', { webhook_id: 'w', changed_fields: ['secret'] })?.action).toBe(
    'webhook.secret_rotated',
  );
  expect(toldOf('webhook.updated', { webhook_id: 'w', changed_fields: ['url'] })?.action).toBe('webhook.updated');
  expect(toldOf('webhook.deleted', { webhook_id: 'w' })?.target).toEqual({ type: 'webhook', id: 'w' });
});

test('members are told by who came, who changed and who left', () => {
  const change = (old_value: unknown, new_value: unknown) =>
    toldOf('project.updated', { changes: [{ field: 'members', old_value, new_value }] });
  const [editor, owner] = [
    { user_id: 'ada', role: 'editor' },
    { user_id: 'ada', role: 'owner' },
  ];
  expect(change(null, editor)).toMatchObject({
    action: 'project.member_added',
    details: { user_id: 'ada', from: null, to: 'editor' },
  });
  expect(change(editor, owner)).toMatchObject({
    action: 'project.member_changed',
    details: { from: 'editor', to: 'owner' },
  });
  expect(change(owner, null)).toMatchObject({
    action: 'project.member_removed',
    details: { user_id: 'ada', from: 'owner', to: null },
  });
});

test('what matters to nobody is left out', () => {
  const renamed = { field: 'name', old_value: 'a', new_value: 'b' };
  expect(toldOf('project.updated', { changes: [renamed] })).toBeUndefined();
  expect(toldOf('command.finished', { command_id: 'c', forced: false })).toBeUndefined();
  expect(toldOf('command.finished', { command_id: 'c', forced: true })?.action).toBe('command.forced');
  const active = { status: 'active', message: null, starts_at: null, ends_at: null } as const;
  expect(toldOf('system.maintenance', active)?.action).toBe('maintenance.changed');
  expect(toldOf('system.maintenance', active, 'project-service')).toBeUndefined();
});

test('no event is listed twice', () => {
  expect(new Set(auditedEvents).size).toBe(auditedEvents.length);
});

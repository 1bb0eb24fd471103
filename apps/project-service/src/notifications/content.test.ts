import { type EventCatalog, type EventType, newEvent } from '@claude-cli/shared/events';
import { unwantedKinds } from '@claude-cli/shared/wanted-notifications';
import { describe, expect, test } from '@jest/globals';
import { endOfTask } from '../testing/ended-tasks.ts';
import { contentOf, type NotifyingEvent } from './content.ts';
import { EveryNth } from './every-nth.ts';
import { relationsIn } from './recipients.ts';
import { wantsKind, wantsTask } from './wanted.ts';

const event = <Type extends EventType>(type: Type, data: EventCatalog[Type]) =>
  newEvent(type, { actor: 'actor', project_id: null }, data) as NotifyingEvent;
const dismiss = { label: 'Dismiss', action: 'dismiss' };

describe('what users are told', () => {
  test('of a task names it, its end, and where to look', () => {
    const failed = endOfTask('task.failed', { title: 'Build', error: 'exit code 1', task_id: 't1' });
    expect(contentOf(failed)).toEqual({
      kind: 'task_failed',
      level: 'error',
      title: 'Task failed',
      message: 'Build failed: exit code 1',
      actions: [dismiss, { label: 'View Details', action: 'view_details', url: '/api/tasks/t1' }],
      project_id: failed.project_id,
      task_id: 't1',
    });
    expect(contentOf(endOfTask('task.completed', { title: 'Build', duration_ms: 300_000 }))).toMatchObject({
      level: 'success',
      message: 'Build was completed in 00:05:00',
    });
    expect(contentOf(endOfTask('task.cancelled', { title: 'Build', reason: 'wrong branch' })).message).toBe(
      'Build was cancelled: wrong branch',
    );
  });

  test.each([
    ['announced', 'Back soon', 'info', 'Back soon'],
    ['announced', null, 'info', 'A maintenance begins at 2026-01-01T02:00:00Z and ends at 2026-01-01T03:00:00Z'],
    ['active', null, 'warning', 'The system is in maintenance until 2026-01-01T03:00:00Z'],
    ['none', null, 'info', 'The maintenance is over or was called off'],
  ] as const)('of a maintenance that is %s says what its admin says, or when it is', (status, message, level, said) => {
    const times = { starts_at: '2026-01-01T02:00:00Z', ends_at: '2026-01-01T03:00:00Z' };
    const content = contentOf(event('system.maintenance', { status, message, ...times }));
    expect(content).toMatchObject({ kind: 'maintenance', level, title: 'System Maintenance', message: said });
  });

  test('of a webhook names its address, and why it is disabled', () => {
    const url = 'https://example.com/hook';
    const facts = { webhook_id: 'w1', url, project_id: null, owner_id: 'u1', status: 'disabled' } as const;
    const data = { ...facts, reason: 'it failed for 3 days' };
    expect(contentOf(event('webhook.disabled', data)).message).toBe(
      'The webhook to https://example.com/hook was disabled: it failed for 3 days',
    );
  });

  test('is cut where it gets too long, but never within a character', () => {
    const alert = { level: 'error' as const, title: '😀'.repeat(300), message: 'x'.repeat(5_000), details: {} };
    const { title, message } = contentOf(event('system.alert', alert));
    expect(title).toBe(`${'😀'.repeat(199)}…`);
    expect(message).toHaveLength(1_000);
  });
});

describe('whom the end of a task concerns', () => {
  const people = { created_by: 'creator', assigned_to: 'assignee', requested_by: 'runner' };
  const of = (event: Parameters<typeof relationsIn>[0]) => Object.fromEntries(relationsIn(event));

  test('is who created it, has it assigned and had it run, each once', () => {
    expect(of(endOfTask('task.completed', { people }))).toEqual({
      creator: ['created'],
      assignee: ['assigned'],
      runner: ['executed'],
    });
    const alone = { created_by: 'one', assigned_to: 'one', requested_by: 'one' };
    expect(of(endOfTask('task.failed', { people: alone }))).toEqual({ one: ['created', 'assigned', 'executed'] });
  });

  test('is not who ended it by hand or cancelled it, but is who ran it', () => {
    expect(Object.keys(of(endOfTask('task.completed', { people, execution_id: null }, 'creator')))).toEqual([
      'assignee',
      'runner',
    ]);
    expect(Object.keys(of(endOfTask('task.cancelled', { people }, 'runner')))).toEqual(['creator', 'assignee']);
    expect(Object.keys(of(endOfTask('task.failed', { people }, 'runner')))).toContain('runner');
  });

  test('is nobody when an earlier version told of it', () => {
    expect(of(endOfTask('task.failed', { people: undefined }))).toEqual({});
  });
});

describe('what is wanted', () => {
  const preferring = (notifications: unknown) => ({ notifications });

  test('is everything that was not switched off', () => {
    for (const preferences of [{}, preferring(null), preferring({}), preferring({ task_updates: true })]) {
      expect(wantsTask(preferences, 'task_failed', ['created'])).toBe(true);
      expect(wantsKind(preferences, 'webhook_disabled')).toBe(true);
      expect(unwantedKinds(preferences)).toEqual([]);
    }
  });

  test.each([
    [{ task_updates: false }, false],
    [{ task_failed: false }, false],
    [{ task_completed: false }, true],
    [{ created_tasks: false }, true],
    [{ created_tasks: false, executed_tasks: false }, false],
    [{ assigned_tasks: false }, true],
  ])('of a failed task that one created and ran, with %p: %p', (notifications, wanted) => {
    expect(wantsTask(preferring(notifications), 'task_failed', ['created', 'executed'])).toBe(wanted);
  });

  test('of what is for everybody is chosen by kind', () => {
    expect(unwantedKinds(preferring({ alert: false, task_failed: false }))).toEqual(['alert']);
  });
});

test('what need not be done every time is due the first time and every n-th after it, for each key by itself', () => {
  const every = new EveryNth(3);
  expect(['a', 'a', 'b', 'a', 'a', 'b'].map((key) => every.isDue(key))).toEqual([
    true,
    false,
    true,
    false,
    true,
    false,
  ]);
});

import { type AnyEvent, type EventCatalog, type EventType, newEvent } from '@claude-cli/shared/events';
import { expect, test } from '@jest/globals';
import { facts } from '../testing/platform.ts';
import { numberEvents } from './numbering.ts';
import { type Scope, scopeOf, slim } from './scope.ts';

const event = <Type extends EventType>(type: Type, project_id: string | null, data: EventCatalog[Type]) =>
  newEvent(type, { actor: 'test', project_id }, data) as AnyEvent;
const updated = (project: string) => event('task.updated', project, facts('t'));
const completed = (project: string) => {
  const end = { execution_id: null, completed_at: '', duration_ms: 0, exit_code: 0 };
  return event('task.completed', project, { ...facts('t'), ...end });
};
const heads = new Map<Scope, { epoch: string; seq: number }>([
  ['project:a', { epoch: 'A', seq: 10 }],
  ['project:b', { epoch: 'B', seq: 0 }],
]);
const numbersOf = (entries: readonly { scope: string; seq: number; count: number }[]) =>
  entries.map(({ scope, seq, count }) => `${scope} ${seq}+${count}`);

test('events follow on the head of their scope without holes, each with a number per message', () => {
  const events = [updated('a'), completed('a'), updated('b'), updated('a')];
  const { entries, fresh, heads: after } = numberEvents(events, new Map(), heads);
  expect(numbersOf(entries)).toEqual(['project:a 11+1', 'project:a 12+2', 'project:b 1+1', 'project:a 14+1']);
  expect(fresh).toEqual(entries);
  expect([...after]).toEqual([
    ['project:a', { epoch: 'A', seq: 14 }],
    ['project:b', { epoch: 'B', seq: 1 }],
  ]);
});

test('what is in the log keeps its number, and what came twice in a batch has one', () => {
  const [old, fresh] = [updated('a'), updated('a')];
  const stored = { _id: old.id, scope: 'project:a' as const, epoch: 'A', seq: 7, count: 1, event: old };
  const numbered = numberEvents([old, fresh, fresh, old], new Map([[old.id, stored]]), heads);
  expect(numbersOf(numbered.entries)).toEqual(['project:a 7+1', 'project:a 11+1']);
  expect(numbersOf(numbered.fresh)).toEqual(['project:a 11+1']);
});

test('what concerns a project, a user, everybody or nobody is told apart', () => {
  const paused = event('queue.paused', null, { queue_name: 'high', reason: null });
  const closed = event('session.closed', null, { session_id: 's', user_id: 'u' });
  const notification = (user_id: string | null) =>
    event('notification.created', null, {
      ...{ notification_id: 'n', user_id, kind: 'alert', level: 'info', title: '', message: '' },
      ...{ actions: [], project_id: null, task_id: null },
    });
  expect([updated('a'), notification('u'), notification(null), paused, closed].map(scopeOf)).toEqual([
    'project:a',
    'user:u',
    'system',
    'system',
    undefined,
  ]);
});

test('what no client is told is not kept', () => {
  const changes = [{ field: 'description', old_value: null, new_value: 'x'.repeat(100_000) }];
  const created = event('task.created', 'a', { ...facts('t', { changes }), initial_data: { large: true } });
  const kept = slim(created);
  expect(kept.data).toEqual({
    ...{ task_id: 't', title: 'a task', status: 'running', progress_percentage: 45 },
    updated_at: expect.any(String),
  });
  expect(kept.id).toBe(created.id);
});

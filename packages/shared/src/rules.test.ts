import { describe, expect, test } from '@jest/globals';
import jwt from 'jsonwebtoken';
import { formatDuration, parseDuration } from './duration.ts';
import { eventPattern, routingKey } from './event-routing.ts';
import { newEvent } from './events.ts';
import { databasePrefix } from './mongo.ts';
import { callerOf, keyId, signToken, verifyToken } from './tokens.ts';

describe('durations', () => {
  test.each([
    [0, '00:00:00'],
    [5_400_000, '01:30:00'],
    [866_130_000, '240:35:30'],
    [499, '00:00:00'],
    [500, '00:00:01'],
  ])('%i ms is shown as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  test('what is shown can be read back, and nothing else', () => {
    expect(parseDuration('240:35:30')).toBe(866_130_000);
    for (const text of ['1:2:3', '00:60:00', '00:00:60', '-1:00:00', ''])
      expect(() => parseDuration(text)).toThrow(RangeError);
  });
});

describe('tokens', () => {
  const [old, current] = ['o'.repeat(32), 'c'.repeat(32)];
  const user = { id: 'u1', username: 'ada', role: 'developer' as const };

  test('a token tells who signed in and what the role permits', () => {
    const claims = verifyToken([current], signToken([current], user, 60));
    expect(callerOf(claims, 's1')).toEqual({
      user_id: 'u1',
      role: 'developer',
      permissions: ['read', 'write', 'execute'],
      session_id: 's1',
    });
  });

  test('a token signed with an older secret is accepted as long as that secret is listed', () => {
    const token = signToken([old], user, 60);
    expect(verifyToken([current, old], token).sub).toBe('u1');
    expect(() => verifyToken([current], token)).toThrow(expect.objectContaining({ code: 'AUTH_TOKEN_INVALID' }));
  });

  test.each([
    ['expired', () => signToken([current], user, -1)],
    ['unsigned', () => jwt.sign({ sub: 'u1', role: 'admin' }, '', { algorithm: 'none', keyid: keyId(current) })],
    [
      'of another algorithm',
      () => jwt.sign({ sub: 'u1', role: 'admin' }, current, { algorithm: 'HS512', keyid: keyId(current) }),
    ],
    ['of an unknown role', () => jwt.sign({ sub: 'u1', role: 'root' }, current, { keyid: keyId(current) })],
    ['no token at all', () => 'abc'],
  ])('a token that is %s is refused', (_, make) => {
    expect(() => verifyToken([current], make())).toThrow(expect.objectContaining({ code: 'AUTH_TOKEN_INVALID' }));
  });
});

describe('routing', () => {
  // The broker's own rule: * is one word, # any number of them.
  const matches = (pattern: string, key: string) =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('\\.#', '(\\..+)?').replaceAll('*', '[^.]+')}$`).test(key);
  const event = newEvent(
    'command.output',
    { actor: 'u', project_id: 'p1' },
    { run_id: 'r', command_id: 'c1', task_id: 't1', user_id: 'u', sequence: 1, pieces: [] },
  );
  const deleted = newEvent(
    'project.deleted',
    { actor: 'u', project_id: 'p1' },
    { name: '', status: 'active', member_ids: [] },
  );

  test('output is found by its project and by its command', () => {
    expect(routingKey(event)).toBe('command.output.p1.c1');
    expect(matches(eventPattern('command.output', 'p1'), routingKey(event))).toBe(true);
    expect(matches(eventPattern('command.output', 'p2'), routingKey(event))).toBe(false);
    expect(routingKey({ ...event, project_id: null })).toBe('command.output._.c1');
  });

  test('a notification is found by its user, and everybody’s by none', () => {
    const texts = { kind: 'alert', level: 'info', title: '', message: '', actions: [] } as const;
    const keyFor = (user_id: string | null) =>
      routingKey({
        type: 'notification.created',
        project_id: null,
        data: { notification_id: 'n1', user_id, ...texts, actions: [], project_id: 'p1', task_id: null },
      });
    expect(keyFor('u1')).toBe('notification.created._.u1');
    expect(keyFor(null)).toBe('notification.created._._');
    expect(matches(eventPattern('notification.created'), keyFor('u1'))).toBe(true);
  });

  test('events of a kind are found for one project and for all', () => {
    expect(matches(eventPattern('project'), routingKey(deleted))).toBe(true);
    expect(matches(eventPattern('project', 'p1'), routingKey(deleted))).toBe(true);
    expect(matches(eventPattern('project', 'p2'), routingKey(deleted))).toBe(false);
    expect(matches(eventPattern('task', 'p1'), routingKey(deleted))).toBe(false);
  });
});

describe('databases', () => {
  test.each([
    ['mongodb://a:1/', 'claude_cli'],
    ['mongodb://a:1', 'claude_cli'],
    ['mongodb://u:p@a:1,b:2,c:3/team?replicaSet=rs0', 'team'],
    ['mongodb+srv://cluster.example/work', 'work'],
  ])('services of %s share the prefix %s', (uri, prefix) => expect(databasePrefix(uri)).toBe(prefix));
});

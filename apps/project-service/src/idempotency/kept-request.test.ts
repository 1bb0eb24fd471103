import { describe, expect, test } from '@jest/globals';
import { idOf, judge, keptSeconds } from './kept-request.ts';

describe('an attempt whose key was taken before', () => {
  const now = new Date('2026-01-02T00:00:00Z');
  const ago = (ms: number) => new Date(now.getTime() - ms);
  const request = { fingerprint: 'f', attempt_id: 'mine' };
  const held = { fingerprint: 'f', attempt_id: 'other', lease_until: ago(-1), created_at: ago(10), status: null };

  test.each([
    ['waits while another attempt is being done', {}, 'in_progress'],
    ['takes over from an attempt whose lease has expired', { lease_until: now }, 'take_over'],
    ['goes on when it asks again', { attempt_id: 'mine', lease_until: ago(1) }, 'begun'],
    ['repeats the answer', { status: 201 }, 'answered'],
    ['repeats its own answer', { status: 201, attempt_id: 'mine' }, 'answered'],
    ['is refused for another request', { fingerprint: 'g' }, 'other_request'],
    ['is refused for another request that died', { fingerprint: 'g', lease_until: ago(1) }, 'other_request'],
    ['is refused for another request that was answered', { fingerprint: 'g', status: 201 }, 'other_request'],
    ['starts anew after a day', { fingerprint: 'g', status: 201, created_at: ago(keptSeconds * 1000) }, 'replace'],
  ])('%s', (_, kept, verdict) => expect(judge({ ...held, ...kept }, request, now)).toBe(verdict));

  test('keys of different users are different, however they are put together', () => {
    const ids = [
      idOf({ user_id: 'a', key: 'b' }),
      idOf({ user_id: 'ab', key: '' }),
      idOf({ user_id: '', key: 'ab' }),
      idOf({ user_id: 'a"', key: '"b' }),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

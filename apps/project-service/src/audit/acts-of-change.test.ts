import { describe, expect, test } from '@jest/globals';
import { newAccount } from '../users/new-account.ts';
import { revokingAll, revokingOne } from '../users/revocation.ts';
import type { StoredApiKey, User } from '../users/user.ts';
import { actsOfChange } from './acts-of-change.ts';

const given = { username: 'ada', email: 'ada@example.com', full_name: 'Ada', role: 'developer', password_hash: 'h' };
const account = newAccount(given as User, { actor: 'admin' });
const by = { actor: 'root', address: '203.0.113.7', request_id: 'request-1' };
const key: StoredApiKey = {
  id: 'key-1',
  name: 'build',
  prefix: 'ccp_abc',
  hash: 'hash of the key',
  scopes: ['read'],
  created_at: new Date(0),
  expires_at: null,
  last_used_at: null,
};

const actsOf = (set: Partial<User>, before: User = account) =>
  actsOfChange(before, set, by).map(({ data }) => [data.action, data.target?.id, data.details]);

describe('what a change of an account tells the audit log', () => {
  test('says who, from where, in which request, to which account', () => {
    expect(actsOfChange(account, { role: 'admin' }, by)).toMatchObject([
      {
        type: 'audit.act',
        actor: 'root',
        data: {
          action: 'user.role_changed',
          outcome: 'success',
          target: { type: 'user', id: account._id },
          address: '203.0.113.7',
          request_id: 'request-1',
          details: { from: 'developer', to: 'admin' },
        },
      },
    ]);
  });

  test.each<[string, Partial<User>, string]>([
    ['disabling', { disabled_at: new Date(), ...revokingAll(account) }, 'user.disabled'],
    ['a new password', { password_hash: 'other', ...revokingAll(account) }, 'user.password_changed'],
  ])('%s is one act, though it revokes all tokens, too', (_, set, action) => {
    expect(actsOf(set)).toEqual([[action, account._id, {}]]);
  });

  test('enabling is told, and disabling what is disabled is not', () => {
    const disabled = { ...account, disabled_at: new Date(0) };
    expect(actsOf({ disabled_at: null }, disabled)).toEqual([['user.enabled', account._id, {}]]);
    expect(actsOf({ disabled_at: new Date() }, disabled)).toEqual([]);
  });

  test('signing out says whether everywhere', () => {
    const token = { kind: 'token', id: 'jti', expires_at: 4e9 } as const;
    expect(actsOf(revokingOne(account, token))).toEqual([['auth.logout', account._id, { everywhere: false }]]);
    expect(actsOf(revokingAll(account))).toEqual([['auth.logout', account._id, { everywhere: true }]]);
  });

  test('an API key is told with what it permits, and never its hash', () => {
    const details = { name: 'build', scopes: ['read'], expires_at: null };
    expect(actsOf({ api_keys: [key] })).toEqual([['api_key.created', 'key-1', details]]);
    const after = actsOf({ api_keys: [] }, { ...account, api_keys: [key] });
    expect(after).toEqual([['api_key.deleted', 'key-1', details]]);
    expect(JSON.stringify(after)).not.toContain('hash of the key');
  });

  test('several changes at once are several acts, names and preferences none', () => {
    const set = { role: 'viewer', email: 'new@example.com', tier: 'premium', full_name: 'A' } as const;
    expect(actsOf(set)).toEqual([
      ['user.role_changed', account._id, { from: 'developer', to: 'viewer' }],
      ['user.updated', account._id, { fields: ['email', 'tier'] }],
    ]);
    expect(actsOf({ role: 'developer', email: account.email, preferences: { theme: 'dark' } })).toEqual([]);
  });
});

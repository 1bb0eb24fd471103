import { newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { defaultPreferences } from './preferences.ts';
import { factsOf, keysOf, type User } from './user.ts';

/** What whoever makes an account decides about it. */
export type NewAccount = Pick<User, 'username' | 'email' | 'full_name' | 'role' | 'password_hash'> &
  Partial<Pick<User, 'avatar_url' | 'tier' | 'seed_hash'>>;

/** A new account, with the event that tells of it. @param by who makes it, and in which session */
export function newAccount(given: NewAccount, by: { actor: string; session_id?: string | undefined }): User {
  const now = new Date();
  const account: User = {
    _id: newId(),
    avatar_url: null,
    tier: 'standard',
    seed_hash: null,
    ...given,
    ...keysOf(given),
    disabled_at: null,
    created_at: now,
    updated_at: now,
    last_login: null,
    preferences: defaultPreferences,
    token_version: 0,
    revoked_tokens: [],
    api_keys: [],
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
  account.outbox.push(newEvent('user.created', { ...by, project_id: null, version: 1 }, factsOf(account)));
  return account;
}

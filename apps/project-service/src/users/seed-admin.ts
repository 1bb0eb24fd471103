import { newId } from '@claude-cli/shared/ids';
import type { Logger } from '@claude-cli/shared/logger';
import { hash, verify } from '@node-rs/argon2';
import { defaultPreferences, type UserModel, usernameKey } from './user.ts';

/**
 * Make sure that the configured first account exists. A changed ADMIN_PASSWORD sets the account's password anew, which is
 * the way back in for an operator; a password that the admin changed later stays as long as ADMIN_PASSWORD does.
 */
export async function seedAdmin(users: UserModel, username: string, password: string, log: Logger): Promise<void> {
  const username_key = usernameKey(username);
  const existing = await users.findOne({ username_key }).lean();
  if (existing?.seed_hash && (await verify(existing.seed_hash, password))) return;
  const seed_hash = await hash(password);
  if (existing) {
    await users.updateOne({ _id: existing._id }, { $set: { password_hash: seed_hash, seed_hash, role: 'admin' } });
    log.warn({ username }, 'the password of the first account was set from the configuration');
    return;
  }
  const account = {
    _id: newId(),
    username,
    email: `${username_key.replace(/[^a-z0-9._-]/g, '') || 'admin'}@localhost`,
    full_name: username,
    avatar_url: null,
    role: 'admin',
    password_hash: seed_hash,
    seed_hash,
    disabled_at: null,
    created_at: new Date(),
    last_login: null,
    preferences: defaultPreferences,
  };
  // Replicas that start together all get here; the unique name lets one of them create the account.
  await users.updateOne({ username_key }, { $setOnInsert: account }, { upsert: true });
  log.info({ username }, 'the first account was created');
}

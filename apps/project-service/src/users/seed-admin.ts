import { serviceCaller } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import { foldedKey } from '@claude-cli/shared/folded-key';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Logger } from '@claude-cli/shared/logger';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { hash, verify } from '@node-rs/argon2';
import { actsOfChange } from '../audit/acts-of-change.ts';
import { newAccount } from './new-account.ts';
import { revokingAll } from './revocation.ts';
import { factsOf, keysOf, type UserModel, userNotFound } from './user.ts';

const { user_id: actor } = serviceCaller('project-service');

/**
 * Make sure that the configured first account exists. A changed ADMIN_PASSWORD sets the account's password anew and enables
 * it, which is the way back in for an operator; a password that the admin changed later stays as long as ADMIN_PASSWORD does.
 * What this causes is told by the sweep of the outbox.
 */
export async function seedAdmin(users: UserModel, username: string, password: string, log: Logger): Promise<void> {
  const existing = await users.findOne({ username_key: foldedKey(username) }).lean();
  if (existing?.seed_hash && (await verify(existing.seed_hash, password))) return;
  const seed_hash = await hash(password);
  if (existing) {
    await reset(users, existing._id, seed_hash);
    log.warn({ username }, 'the password of the first account was set from the configuration');
  } else if (await create(users, username, seed_hash)) {
    log.info({ username }, 'the first account was created');
  }
}

async function reset(users: UserModel, user_id: string, seed_hash: string): Promise<void> {
  await guardedUpdate(
    users,
    user_id,
    () => userNotFound(user_id),
    (user) => {
      const set = {
        password_hash: seed_hash,
        seed_hash,
        role: 'admin' as const,
        disabled_at: null,
        ...revokingAll(user),
      };
      const about = { actor, project_id: null, version: user.version + 1 };
      const acts = actsOfChange(user, set, { actor, address: null, request_id: null });
      return { set, events: [...acts, newEvent('user.updated', about, factsOf({ ...user, ...set }))] };
    },
  );
}

/** Whether this replica created the account: those that start together all try, and the unique name lets one of them. */
async function create(users: UserModel, username: string, seed_hash: string): Promise<boolean> {
  const name = foldedKey(username).replace(/[^a-z0-9._-]/g, '') || 'admin';
  const account = newAccount(
    { username, email: `${name}@localhost`, full_name: username, role: 'admin', password_hash: seed_hash, seed_hash },
    { actor },
  );
  // The second address is nobody's: the first one may belong to an account of another name.
  for (const email of [account.email, `${account._id}@localhost`]) {
    try {
      await users.create({ ...account, email, ...keysOf({ ...account, email }) });
      return true;
    } catch (thrown) {
      if (!isDuplicateKey(thrown)) throw thrown;
      if (await users.exists({ username_key: account.username_key })) return false;
    }
  }
  throw new PlatformError('RESOURCE_CONFLICT', 'The first account can be neither found nor created', { username });
}

import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { keysOf, type User, type UserModel } from './user.ts';

/** Accounts that are read at once. */
const batchSize = 100;

/**
 * Give accounts that an earlier version stored what they lack, so that everything else knows one shape only. Runs before the
 * service answers; several replicas may run it at once, and one that dies leaves the rest to the next start.
 */
export async function upgradeAccounts(users: UserModel): Promise<void> {
  for (;;) {
    const old = await users.find({ search_keys: null }).limit(batchSize).lean();
    for (const user of old) await upgrade(users, user);
    if (old.length < batchSize) return;
  }
}

async function upgrade(users: UserModel, user: User): Promise<void> {
  try {
    await store(users, user);
  } catch (thrown) {
    if (!isDuplicateKey(thrown)) throw thrown;
    // That version made up mail addresses of its own accounts, which were not unique.
    await store(users, { ...user, email: `${user._id}@localhost` });
  }
}

async function store(users: UserModel, user: User): Promise<void> {
  const added = {
    tier: 'standard',
    updated_at: user.created_at,
    token_version: 0,
    revoked_tokens: [],
    api_keys: [],
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  } as const;
  const { email } = user;
  await users.updateOne({ _id: user._id, search_keys: null }, { $set: { ...added, email, ...keysOf(user) } });
}

import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { guardedUpdate } from '@claude-cli/shared/guarded-update';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { actsOfChange } from '../audit/acts-of-change.ts';
import type { Context } from '../context.ts';
import { requireRoom } from '../outbox-room.ts';
import { accountGone } from './current-user.ts';
import { factsOf, type User, userNotFound } from './user.ts';

/** What to change in an account as it was read; undefined to leave it as it is. May run again, and throws to refuse. */
export type DecideUser = (user: User) => Partial<User> | undefined | Promise<Partial<User> | undefined>;

/** Change an account and tell of it. @throws PlatformError RESOURCE_NOT_FOUND, RESOURCE_ALREADY_EXISTS, decide's */
export function changeUser(ctx: Context, user_id: string, call: Call, decide: DecideUser): Promise<User> {
  return change(ctx, user_id, call, () => userNotFound(user_id), decide);
}

/**
 * Change the account of the caller and tell of it.
 * @throws PlatformError AUTH_TOKEN_INVALID when it is gone, SERVICE_UNAVAILABLE while too many changes wait to be told,
 * decide's
 */
export function changeOwnAccount(ctx: Context, call: Call, decide: DecideUser): Promise<User> {
  // Admins are not refused like this: whoever fills the own outbox while the broker is away can still be disabled.
  return change(ctx, call.caller.user_id, call, accountGone, async (user) => {
    const set = await decide(user);
    if (set && isTold(set)) requireRoom(user);
    return set;
  });
}

// Preferences are nobody else's concern.
function isTold(set: Partial<User>): boolean {
  return Object.keys(set).some((field) => field !== 'preferences');
}

async function change(
  ctx: Context,
  user_id: string,
  { caller, requestId }: Call,
  notFound: () => PlatformError,
  decide: DecideUser,
): Promise<User> {
  const { document, changed } = await guardedUpdate(ctx.users, user_id, notFound, async (user) => {
    const set = await decide(user);
    if (!set) return undefined;
    const about = {
      actor: caller.user_id,
      project_id: null,
      version: user.version + 1,
      session_id: caller.session_id,
    };
    const updated = newEvent('user.updated', about, factsOf({ ...user, ...set }));
    const by = { actor: caller.user_id, address: caller.address ?? null, request_id: requestId };
    return { set, events: isTold(set) ? [...actsOfChange(user, set, by), updated] : [] };
  }).catch(refuseTaken);
  if (changed && document.outbox.length > 0) void ctx.userOutbox.flush(document);
  return document;
}

/** Say which name of an account is taken. @throws PlatformError RESOURCE_ALREADY_EXISTS; anything else as it came */
export function refuseTaken(thrown: unknown): never {
  if (!isDuplicateKey(thrown)) throw thrown;
  const { keyPattern = {} } = thrown as { keyPattern?: Record<string, unknown> };
  const field = 'email_key' in keyPattern ? 'email' : 'username';
  const issue = 'is taken by another account';
  throw new PlatformError('RESOURCE_ALREADY_EXISTS', `The ${field} ${issue}`, { field, issue }, thrown);
}

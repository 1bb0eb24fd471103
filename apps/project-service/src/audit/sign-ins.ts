import type { Call } from '@claude-cli/shared/grpc/server';
import { derivedId, newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import type { User } from '../users/user.ts';
import { count, keep, keepingOf, type NewRecord } from './write.ts';

/** Sign-ins that fail for one account from one address within so many milliseconds are one record. */
const togetherMs = 60_000;
/** Stands for all accounts that there are not: what was typed as a name may be a password, and is not kept. */
const noAccount = '00000000-0000-0000-0000-000000000000';

type Account = Pick<User, '_id' | 'username'>;

/** Keep that somebody signed in. To be awaited before the token is given away. */
export async function keepLogin(ctx: Context, user: Account, { caller, requestId: request_id }: Call): Promise<void> {
  await keep(keepingOf(ctx), {
    id: newId(),
    time: new Date(),
    actor: user._id,
    action: 'auth.login',
    outcome: 'success',
    target: { type: 'user', id: user._id },
    address: caller.address ?? null,
    request_id,
    details: { username: user.username },
  });
}

/**
 * Keep that a sign-in was not let in.
 * @param user whose name was given; undefined when nobody has it
 * @param outcome failure for a wrong password, refused for the right one of a disabled account
 */
export function keepFailedLogin(
  ctx: Context,
  user: Account | undefined,
  outcome: 'failure' | 'refused',
  call: Call,
  now = new Date(),
): Promise<void> {
  return keepFailure(ctx, user, { action: 'auth.login', outcome, actor: null }, call, now);
}

/** Keep that somebody who had signed in did not know the password when changing it: perhaps the token is not the user's. */
export function keepWrongPassword(ctx: Context, user: Account, call: Call, now = new Date()): Promise<void> {
  const what = { action: 'user.password_changed', outcome: 'failure', actor: user._id } as const;
  return keepFailure(ctx, user, what, call, now);
}

async function keepFailure(
  ctx: Context,
  user: Account | undefined,
  what: Pick<NewRecord, 'action' | 'outcome' | 'actor'>,
  { caller, requestId }: Pick<Call, 'caller' | 'requestId'>,
  now: Date,
): Promise<void> {
  const address = caller.address ?? null;
  const interval = Math.floor(now.getTime() / togetherMs);
  await count(keepingOf(ctx), {
    id: derivedId(user?._id ?? noAccount, `${what.action} ${what.outcome} ${address} ${interval}`),
    time: now,
    ...what,
    target: user ? { type: 'user', id: user._id } : null,
    address,
    // Of the first of them.
    request_id: requestId,
    details: user ? { username: user.username } : { reason: 'no such account' },
  });
}

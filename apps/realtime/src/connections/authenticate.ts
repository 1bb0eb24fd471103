import type { Caller } from '@claude-cli/shared/caller';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import { apiKeyPrefix, verifyToken } from '@claude-cli/shared/tokens';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { ClientMessage } from '../messages/client-message.ts';
import { recheckSubscriber } from '../subscriptions/recheck.ts';
import { admit, release } from './admit.ts';
import type { Connection } from './connection.ts';
import { Refusal } from './refusal.ts';

/** Sign in, or go on with a newer token of the same user. */
export async function authenticate(
  ctx: Context,
  connection: Connection,
  { token }: ClientMessage<'authenticate'>,
): Promise<Answer> {
  const before = connection.origin.caller;
  const caller = await callerOf(ctx, token, connection.origin.requestId);
  if (connection.authenticated && caller.user_id !== before.user_id) {
    throw new Refusal(new PlatformError('AUTH_TOKEN_INVALID', 'The token is of another user'), 4401);
  }
  const { sessionId } = connection;
  if (sessionId === undefined) throw invalidField('session_id', 'is required', 'VALIDATION_REQUIRED_FIELD');
  await admit(ctx, connection, caller.user_id);
  const origin = { ...connection.origin, caller: { ...caller, session_id: sessionId } };
  try {
    await ctx.sessions.touchSession({ session_id: sessionId }, origin);
  } catch (thrown) {
    if (!connection.authenticated) await release(ctx, connection);
    const error = PlatformError.from(thrown);
    const forGood = error.code === 'RESOURCE_NOT_FOUND' || error.code === 'AUTH_ACCOUNT_DISABLED';
    throw forGood ? new Refusal(error, 4403) : error;
  }
  const renewed = connection.authenticated;
  const until = caller.credential?.expires_at;
  connection.identify(origin, until === undefined ? Number.POSITIVE_INFINITY : until * 1000);
  if (renewed && caller.role !== before.role) await recheckSubscriber(ctx, connection);
  if (!renewed) connection.ping();
  const expires_at = until === undefined ? null : new Date(until * 1000).toISOString();
  return { type: 'authenticated', data: { session_id: sessionId, user_id: caller.user_id, expires_at } };
}

async function callerOf({ accounts, config }: Context, token: string, requestId: string): Promise<Caller> {
  try {
    const identity = token.startsWith(apiKeyPrefix)
      ? await accounts.ofApiKey(token, requestId)
      : await accounts.ofToken(verifyToken(config.JWT_SECRET, token), requestId);
    return identity.caller;
  } catch (thrown) {
    const error = PlatformError.from(thrown);
    if (error.httpStatus === 401) throw new Refusal(error, 4401);
    throw error.code === 'AUTH_ACCOUNT_DISABLED' ? new Refusal(error, 4403) : error;
  }
}

import { PlatformError } from '@claude-cli/shared/errors';
import { callerOf, type TokenClaims, verifyToken } from '@claude-cli/shared/tokens';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { ClientMessage } from '../messages/client-message.ts';
import { recheckSubscriber } from '../subscriptions/recheck.ts';
import type { Connection } from './connection.ts';
import { Refusal } from './refusal.ts';

/** Sign in, or go on with a newer token of the same user. */
export async function authenticate(
  ctx: Context,
  connection: Connection,
  { token }: ClientMessage<'authenticate'>,
): Promise<Answer> {
  const before = connection.origin.caller;
  const claims = claimsOf(ctx, token);
  if (connection.authenticated && claims.sub !== before.user_id) {
    throw new Refusal(new PlatformError('AUTH_TOKEN_INVALID', 'The token is of another user'), 4401);
  }
  if (!ctx.connections.admit(connection, claims.sub)) {
    const limit = ctx.limits.connectionsPerUser;
    const message = `At most ${limit} connections per user`;
    throw new Refusal(new PlatformError('RESOURCE_LIMIT_EXCEEDED', message, { limit }), 4429);
  }
  const origin = { ...connection.origin, caller: callerOf(claims, connection.sessionId) };
  try {
    await ctx.sessions.touchSession({ session_id: connection.sessionId }, origin);
  } catch (thrown) {
    if (!connection.authenticated) ctx.connections.release(connection);
    const error = PlatformError.from(thrown);
    const forGood = error.code === 'RESOURCE_NOT_FOUND' || error.code === 'AUTH_ACCOUNT_DISABLED';
    throw forGood ? new Refusal(error, 4403) : error;
  }
  const renewed = connection.authenticated;
  connection.identify(origin, claims.exp * 1000);
  if (renewed && claims.role !== before.role) await recheckSubscriber(ctx, connection);
  if (!renewed) connection.ping();
  const expires_at = new Date(claims.exp * 1000).toISOString();
  return { type: 'authenticated', data: { session_id: connection.sessionId, user_id: claims.sub, expires_at } };
}

function claimsOf(ctx: Context, token: string): TokenClaims {
  try {
    return verifyToken(ctx.config.JWT_SECRET, token);
  } catch (thrown) {
    throw new Refusal(PlatformError.from(thrown), 4401);
  }
}

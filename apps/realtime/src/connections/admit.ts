import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { Connection } from './connection.ts';
import { Refusal } from './refusal.ts';

/** Count a connection for its user, here and over all replicas. @throws Refusal */
export async function admit(ctx: Context, connection: Connection, userId: string): Promise<void> {
  const admitted = ctx.connections.admit(connection, userId);
  if (admitted && (await ctx.leases.take(userId, connection.id))) {
    // Who has gone meanwhile was not counted yet when it went.
    if (connection.closed) await ctx.leases.release(userId, connection.id);
    return;
  }
  // Over all replicas too: a renewal may have counted it while it waited for the answer.
  if (admitted) await release(ctx, connection);
  const limit = ctx.limits.connectionsPerUser;
  const message = `At most ${limit} connections per user`;
  throw new Refusal(new PlatformError('RESOURCE_LIMIT_EXCEEDED', message, { limit }), 4429);
}

/** Count it no more. */
export async function release({ connections, leases }: Context, connection: Connection): Promise<void> {
  const userId = connections.release(connection);
  if (userId !== undefined) await leases.release(userId, connection.id);
}

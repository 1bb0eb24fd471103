import type { Context } from '../context.ts';
import { endAll } from '../subscriptions/ledger.ts';
import { release } from './admit.ts';
import type { Connection } from './connection.ts';

/** The link of a connection has ended: it hears nothing more, and counts no more. */
export function leave(ctx: Context, connection: Connection): void {
  connection.over();
  void release(ctx, connection);
  ctx.connections.remove(connection);
  void endAll(ctx, connection);
}

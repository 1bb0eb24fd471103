import type { Context } from '../context.ts';
import { errorMessage } from '../messages/encoded.ts';
import type { Connection } from './connection.ts';
import { MessageRate } from './message-rate.ts';
import { tooMany } from './receive.ts';

/** Counts what a client sends: what is above the rate is refused, and who goes on regardless is closed. @returns whether to take it */
export function inboundRate(ctx: Context, connection: Connection): () => boolean {
  const rate = new MessageRate(ctx.limits);
  return () => {
    if (connection.closed) return false;
    const verdict = rate.take();
    if (verdict === 'refused') connection.send(errorMessage(tooMany(ctx)));
    if (verdict === 'abusive') connection.refuse(tooMany(ctx), 4429);
    return verdict === 'taken';
  };
}

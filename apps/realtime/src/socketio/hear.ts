import type { Socket } from 'socket.io';
import type { Connection } from '../connections/connection.ts';
import { inboundRate } from '../connections/inbound.ts';
import { receiver, type Tie } from '../connections/receive.ts';
import type { Context } from '../context.ts';
import type { Encoded } from '../messages/encoded.ts';
import { requestOf, signInOf } from './request-of.ts';
import { TiedAnswer } from './socketio-link.ts';

type Acknowledge = (message: object) => void;

/** Take what a client emits as messages; where it wants an acknowledgement, that is the answer. */
export function hear(ctx: Context, connection: Connection, socket: Socket): void {
  const receive = receiver(ctx, connection);
  const withinRate = inboundRate(ctx, connection);
  socket.onAny((event: string, ...args: unknown[]) => {
    if (!withinRate()) return;
    const last = args.at(-1);
    const isTied = typeof last === 'function';
    const payloads = isTied ? args.slice(0, -1) : args;
    const read = () => {
      const request = requestOf(event, payloads);
      return event === 'authenticate' ? signInOf(connection, request) : request;
    };
    receive(read, isTied ? tieTo(last as Acknowledge) : undefined);
  });
  socket.on('error', (err: Error) => ctx.log.debug({ err: { message: err.message } }, 'a Socket.IO connection failed'));
  socket.on('disconnect', () => socket.conn.close());
}

function tieTo(acknowledge: Acknowledge): Tie {
  return (answer: Encoded) => new TiedAnswer(answer, acknowledge);
}

import type { Socket } from 'node:net';
import { BSONError } from 'bson';
import { runCommand } from './commands/registry.ts';
import type { Cursors } from './cursors.ts';
import { CommandError } from './errors.ts';
import type { Reply } from './reply.ts';
import type { Store } from './store.ts';
import { Framer, parseMessage, type Request, replyMessage } from './wire.ts';

/** Takes what an operator should know. */
export type Log = (message: string) => void;

/** What all connections of a server share. */
export interface ServerState {
  readonly store: Store;
  readonly cursors: Cursors;
  readonly log: Log;
  port: number;
  connections: number;
}

/** Serves a client until it leaves or sends something that is no message, which ends this connection only. */
export function serve(socket: Socket, state: ServerState): void {
  const framer = new Framer();
  const connectionId = ++state.connections;
  const address = `${socket.remoteAddress}:${socket.remotePort}`;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    framer.push(chunk);
    try {
      for (let message = framer.next(); message; message = framer.next()) {
        const request = parseMessage(message);
        const reply = replyMessage(request, answer(request, state, { address, connectionId }));
        if (request.wantsReply && !socket.destroyed) socket.write(reply);
      }
    } catch (error) {
      state.log(`connection ${connectionId} closed: ${String(error)}`);
      socket.destroy();
    }
  });
}

function answer(request: Request, state: ServerState, client: { address: string; connectionId: number }): Reply {
  const { $db, ...args } = request.body;
  const name = Object.keys(args)[0] ?? '';
  try {
    if (typeof $db !== 'string') throw new CommandError('BadValue', 'a command needs a $db');
    return { ...runCommand({ ...state, database: $db, name, args, client }), ok: 1 };
  } catch (thrown) {
    const error =
      thrown instanceof BSONError ? new CommandError('BadValue', thrown.message) : CommandError.from(thrown);
    if (error.codeName === 'InternalError') {
      state.log(`${name} failed: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
    }
    return { ok: 0, errmsg: error.message, code: error.code, codeName: error.codeName, ...error.details };
  }
}

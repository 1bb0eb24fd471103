import type { Socket } from 'node:net';
import { BSONError } from 'bson';
import type { CommandContext } from './commands/command.ts';
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
  /** What came and is not answered yet. */
  readonly turn: Turn;
  port: number;
  connections: number;
}

interface Asked {
  readonly request: Request;
  readonly socket: Socket;
  readonly client: CommandContext['client'];
}

/**
 * Answers what arrived in one turn of the event loop, from whomever, in one transaction: to write the log once for several
 * commands costs about as much as for one.
 */
export class Turn {
  #asked: Asked[] = [];

  /** Takes a request, which is answered in this turn. */
  take(asked: Asked, state: ServerState): void {
    if (this.#asked.push(asked) === 1) setImmediate(() => this.#answer(state));
  }

  #answer(state: ServerState): void {
    const asked = this.#asked;
    this.#asked = [];
    for (const [n, reply] of replies(asked, state).entries()) {
      const { request, socket, client } = asked[n] as Asked;
      guard(socket, client.connectionId, state, () => {
        if (request.wantsReply && !socket.destroyed) socket.write(replyMessage(request, reply));
      });
    }
  }
}

/** The replies to the requests, once what they wrote is in the log. */
function replies(asked: readonly Asked[], state: ServerState): Reply[] {
  const answerAll = () => asked.map((each) => answer(each, state));
  if (asked.length === 1) return answerAll();
  try {
    return state.store.transaction(answerAll);
  } catch (thrown) {
    // The log could not be written: nothing of the turn was done.
    return asked.map(({ request }) => refusal(thrown, request, state));
  }
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
    guard(socket, connectionId, state, () => {
      for (let message = framer.next(); message; message = framer.next()) {
        state.turn.take({ request: parseMessage(message), socket, client: { address, connectionId } }, state);
      }
    });
  });
}

/** Does something for a connection; what it throws ends this connection only. */
function guard(socket: Socket, connectionId: number, { log }: ServerState, run: () => void): void {
  try {
    run();
  } catch (error) {
    log(`connection ${connectionId} closed: ${String(error)}`);
    socket.destroy();
  }
}

function answer({ request, client }: Asked, state: ServerState): Reply {
  const { $db, ...args } = request.body;
  try {
    if (typeof $db !== 'string') throw new CommandError('BadValue', 'a command needs a $db');
    return { ...runCommand({ ...state, database: $db, name: nameOf(request), args, client }), ok: 1 };
  } catch (thrown) {
    return refusal(thrown, request, state);
  }
}

function nameOf({ body }: Request): string {
  return Object.keys(body).find((key) => key !== '$db') ?? '';
}

function refusal(thrown: unknown, request: Request, state: ServerState): Reply {
  const error = thrown instanceof BSONError ? new CommandError('BadValue', thrown.message) : CommandError.from(thrown);
  if (error.codeName === 'InternalError') {
    state.log(`${nameOf(request)} failed: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  }
  return { ok: 0, errmsg: error.message, code: error.code, codeName: error.codeName, ...error.details };
}

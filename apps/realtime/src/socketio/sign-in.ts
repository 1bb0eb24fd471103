import { PlatformError } from '@claude-cli/shared/errors';
import { authenticate } from '../connections/authenticate.ts';
import type { Connection } from '../connections/connection.ts';
import { Refusal } from '../connections/refusal.ts';
import type { Context } from '../context.ts';
import { readMessage } from '../messages/client-message.ts';
import { dataMessage, errorMessage } from '../messages/encoded.ts';
import { signInOf } from './request-of.ts';

/** Connections that have asked to join; each may once. */
const joined = new WeakSet<Connection>();

/** An error as Socket.IO tells it with `connect_error`. */
export interface ConnectError extends Error {
  data?: object | undefined;
}

/**
 * Let a connection join, and sign in where it brought a token; otherwise it has to do so by a message.
 * @returns what it is refused with; never rejects
 */
export async function signIn(
  ctx: Context,
  connection: Connection,
  auth: Record<string, unknown>,
): Promise<ConnectError | undefined> {
  if (joined.has(connection)) return new Error('Connect once');
  joined.add(connection);
  try {
    const { token, session_id, ...more } = auth;
    if (token === undefined) {
      signInOf(connection, { session_id });
      return undefined;
    }
    const message = readMessage({ ...signInOf(connection, { session_id, token, ...more }), type: 'authenticate' });
    if (message.type !== 'authenticate') return new Error('This does not sign in');
    const { type, data } = await authenticate(ctx, connection, message);
    // After the library's own word that it is connected.
    setImmediate(() => connection.send(dataMessage(type, data)));
    return undefined;
  } catch (thrown) {
    const refusal = thrown instanceof Refusal ? thrown : undefined;
    const error = PlatformError.from(refusal?.error ?? thrown);
    if (error.isFault) {
      ctx.log.error({ err: error.cause ?? error, request_id: connection.origin.requestId }, 'signing in failed');
    }
    setImmediate(() => connection.close(refusal?.closeCode ?? 1011, error.code));
    return Object.assign(new Error(error.message), { data: errorMessage(error).message.data });
  }
}

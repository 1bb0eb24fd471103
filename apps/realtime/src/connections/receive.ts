import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import {
  type ClientMessage,
  type ClientMessageType,
  readJson,
  readMessage,
  requestIdOf,
} from '../messages/client-message.ts';
import { dataMessage, encode, errorMessage } from '../messages/encoded.ts';
import { recordMessage } from '../sessions/record-message.ts';
import { subscribe } from '../subscriptions/subscribe.ts';
import { unsubscribe } from '../subscriptions/unsubscribe.ts';
import { executeTask } from '../tasks/execute-task.ts';
import { authenticate } from './authenticate.ts';
import type { Connection } from './connection.ts';
import { Refusal } from './refusal.ts';

type Queued = Exclude<ClientMessageType, 'ping'>;

const handlers: {
  [Type in Queued]: (ctx: Context, connection: Connection, message: ClientMessage<Type>) => Promise<Answer>;
} = { authenticate, subscribe, unsubscribe, execute_task: executeTask };

/**
 * What is done with each message of a client, given the text of it; undefined for a binary one. Pings are answered at
 * once, the rest one after the other.
 */
export function receiver(ctx: Context, connection: Connection): (text: string | undefined) => void {
  let pending = 0;
  let last = Promise.resolve();
  return (text) => {
    let requestId: string | undefined;
    try {
      if (text === undefined) throw invalidField('message', 'must be text, not binary', 'VALIDATION_INVALID_FORMAT');
      const sent = readJson(text);
      requestId = requestIdOf(sent);
      const message = readMessage(sent);
      if (message.type === 'ping') {
        return connection.send(encode({ type: 'pong', timestamp: message.timestamp, request_id: requestId }));
      }
      if (pending >= ctx.limits.pendingMessages) throw tooMany(ctx);
      pending += 1;
      last = last.then(() => handle(ctx, connection, message)).finally(() => (pending -= 1));
    } catch (thrown) {
      answerError(ctx, connection, thrown, requestId);
    }
  };
}

/** The error for a client that sends more than it may. */
export function tooMany({ limits }: Context): PlatformError {
  return new PlatformError('RATE_LIMIT_EXCEEDED', 'Too many messages. Please try again later.', {
    limit: limits.messagesPerSecond,
    window: 1,
  });
}

/** Never rejects: whatever goes wrong is the answer. */
async function handle<Type extends Queued>(
  ctx: Context,
  connection: Connection,
  message: ClientMessage<Type>,
): Promise<void> {
  if (connection.closed) return;
  try {
    if (message.type !== 'authenticate' && !connection.authenticated) {
      throw new PlatformError('AUTH_TOKEN_MISSING', 'Authenticate first');
    }
    const { type, data } = await handlers[message.type as Type](ctx, connection, message);
    if (message.type !== 'authenticate') recordMessage(ctx, connection, message);
    connection.send(dataMessage(type, data, undefined, message.request_id));
  } catch (thrown) {
    const taskId = message.type === 'execute_task' ? message.task_id : undefined;
    answerError(ctx, connection, thrown, message.request_id, taskId);
  }
}

function answerError(
  { log }: Context,
  connection: Connection,
  thrown: unknown,
  requestId: string | undefined,
  taskId?: string,
): void {
  if (thrown instanceof Refusal) {
    connection.refuse(thrown.error, thrown.closeCode, requestId);
    return;
  }
  const error = PlatformError.from(thrown);
  if (error.isFault) {
    log.error({ err: error.cause ?? error, request_id: connection.origin.requestId }, 'message failed');
  }
  connection.send(errorMessage(error, requestId, taskId));
}

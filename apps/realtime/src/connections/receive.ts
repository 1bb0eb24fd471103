import { PlatformError } from '@claude-cli/shared/errors';
import { inSpan } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import { type ClientMessage, type ClientMessageType, readMessage, requestIdOf } from '../messages/client-message.ts';
import { dataMessage, Encoded, errorMessage } from '../messages/encoded.ts';
import { getMetrics } from '../metrics/get-metrics.ts';
import { measured } from '../metrics/prometheus.ts';
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
} = { authenticate, subscribe, unsubscribe, execute_task: executeTask, get_metrics: getMetrics };

/** Makes of an answer what is sent, where a transport ties answers to requests. */
export type Tie = (answer: Encoded) => Encoded;

/** Messages that the history of a session does not tell. */
const unrecorded: readonly ClientMessageType[] = ['authenticate', 'get_metrics'];

/**
 * What is done with each message of a client, given how to read it. Pings are answered at once, the rest one after the
 * other.
 */
export function receiver(ctx: Context, connection: Connection): (read: () => object, tie?: Tie) => void {
  let pending = 0;
  let last = Promise.resolve();
  return (read, tie = (answer) => answer) => {
    const asked: Asked = { connection, tie, requestId: undefined };
    try {
      const sent = read() as Record<string, unknown>;
      asked.requestId = requestIdOf(sent);
      const message = readMessage(sent);
      if (message.type === 'ping') {
        const { timestamp, request_id } = message;
        return connection.send(tie(new Encoded({ type: 'pong', timestamp, request_id })));
      }
      if (pending >= ctx.limits.pendingMessages) throw tooMany(ctx);
      pending += 1;
      last = last.then(() => handle(ctx, asked, message)).finally(() => (pending -= 1));
    } catch (thrown) {
      answerError(ctx, asked, thrown);
    }
  };
}

/** Who asked, and how the answer is known. */
interface Asked {
  connection: Connection;
  tie: Tie;
  requestId: string | undefined;
}

/** The error for a client that sends more than it may. */
export function tooMany({ limits }: Context): PlatformError {
  return new PlatformError('RATE_LIMIT_EXCEEDED', 'Too many messages. Please try again later.', {
    limit: limits.messagesPerSecond,
    window: 1,
  });
}

/** Never rejects: whatever goes wrong is the answer. */
async function handle<Type extends Queued>(ctx: Context, asked: Asked, message: ClientMessage<Type>): Promise<void> {
  const { connection, tie, requestId } = asked;
  if (connection.closed) return;
  try {
    const { type, data, after } = await measured(message.type, () =>
      inSpan(`receive ${message.type}`, { root: true, kind: 'server' }, () => answerTo(ctx, connection, message)),
    );
    if (!unrecorded.includes(message.type)) recordMessage(ctx, connection, message);
    connection.send(tie(dataMessage(type, data, undefined, requestId)));
    after?.();
  } catch (thrown) {
    const taskId = message.type === 'execute_task' ? message.task_id : undefined;
    answerError(ctx, asked, thrown, taskId);
  }
}

async function answerTo<Type extends Queued>(
  ctx: Context,
  connection: Connection,
  message: ClientMessage<Type>,
): Promise<Answer> {
  if (message.type !== 'authenticate' && !connection.authenticated) {
    throw new PlatformError('AUTH_TOKEN_MISSING', 'Authenticate first');
  }
  return handlers[message.type as Type](ctx, connection, message);
}

function answerError({ log }: Context, { connection, tie, requestId }: Asked, thrown: unknown, taskId?: string): void {
  if (thrown instanceof Refusal) {
    connection.send(tie(errorMessage(thrown.error, requestId)));
    connection.close(thrown.closeCode, thrown.error.code);
    return;
  }
  const error = PlatformError.from(thrown);
  if (error.isFault) {
    log.error({ err: error.cause ?? error, request_id: connection.origin.requestId }, 'message failed');
  }
  connection.send(tie(errorMessage(error, requestId, taskId)));
}

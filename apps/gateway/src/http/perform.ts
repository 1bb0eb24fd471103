import type { Caller } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { inSpanOf } from '@claude-cli/shared/telemetry';
import type { Request, RequestHandler, Response } from 'express';
import type { GatewayContext } from '../context.ts';
import { isStoppedByMaintenance, takesIdempotencyKey } from '../contract/endpoints.ts';
import type { Meta } from '../contract/serializer.ts';
import { version } from '../version.ts';
import { callerFrom, requestIdOf } from './admission.ts';
import { CancelBudget } from './cancel-budget.ts';
import { effects } from './effects.ts';
import type { Operation } from './operations.ts';
import { type Page, paginate } from './pagination.ts';
import { errorReply, type Reply, sendReply } from './reply.ts';

type Message = Record<string, unknown>;

/** One request of an operation, read. */
interface Exchange {
  operation: Operation;
  request: Request;
  message: Message;
  origin: Origin;
}

/** Makes the handler that answers admitted requests of an operation. */
export function performer(ctx: GatewayContext): (operation: Operation) => RequestHandler {
  const cancellations = new CancelBudget();
  return (operation) => (request, response) =>
    inSpanOf(request.headers, `${operation.method} ${operation.path}`, 'server', async () => {
      const who = callerFrom(request);
      // Nobody has sessions before signing in, although many clients name one in every request.
      const caller = operation.access === 'everyone' ? who : ctx.inSession.callerIn(request, who);
      const message = read(operation, request);
      if (response.destroyed) return;
      const origin = originOf(operation, caller, response, cancellations);
      sendReply(response, await perform(ctx, { operation, request, message, origin }));
    });
}

function read(operation: Operation, request: Request): Message {
  const params = request.params as Record<string, string>;
  return operation.read({ params, query: queryOf(request), body: request.body });
}

function originOf(operation: Operation, caller: Caller, response: Response, cancellations: CancelBudget): Origin {
  const left = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished && cancellations.take()) left.abort();
  });
  const deadline = new Date(Date.now() + operation.deadlineMs);
  return { caller, requestId: requestIdOf(response), deadline, signal: left.signal };
}

/** Whatever stands between a request and its owner, from the outermost inwards: maintenance, session, idempotency. */
async function perform(ctx: GatewayContext, exchange: Exchange): Promise<Reply> {
  const { operation, request, message, origin } = exchange;
  const { deadlineMs } = operation;
  if (isStoppedByMaintenance(operation)) ctx.maintenance.refuseWrites();
  const run = () => call(ctx, exchange);
  return ctx.inSession.perform(operation, message, origin, () =>
    takesIdempotencyKey(operation) ? ctx.once.perform({ request, message, origin, deadlineMs }, run) : run(),
  );
}

/** Ask the owner. Its refusal is an answer, too. */
async function call(ctx: GatewayContext, exchange: Exchange): Promise<Reply> {
  const { operation, request, message, origin } = exchange;
  try {
    const ask = () => operation.call(message, origin);
    const isLogin = operation.name === 'AuthService.Login';
    const data = await (isLogin ? ctx.logins.attempt(String(message.username), request, ask) : ask());
    await effects[operation.name]?.(ctx, origin.caller, message);
    const whole = operation.paginated ? paginate(operation, message, queryOf(request), data as Page) : data;
    const meta: Meta = { timestamp: new Date().toISOString(), request_id: origin.requestId, version };
    return { status: operation.status, text: operation.serialize({ data: whole, error: null, meta }), headers: {} };
  } catch (thrown) {
    return errorReply(ctx.log, thrown, origin.requestId);
  }
}

function queryOf({ url }: Request): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
}

import type { LiveEvent } from '@claude-cli/proto/platform/v1/live';
import type { Caller } from '@claude-cli/shared/caller';
import type { Creation } from '@claude-cli/shared/creation';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Request, RequestHandler, Response } from 'express';
import type { GatewayContext } from '../context.ts';
import { isFoundAgain, isStoppedByMaintenance, takesIdempotencyKey } from '../contract/endpoints.ts';
import type { Meta } from '../contract/serializer.ts';
import { keptAddress } from '../limits/client-address.ts';
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
  return (operation) => async (request, response) => {
    const who = withAddress(callerFrom(request), request);
    // Nobody has sessions before signing in, although many clients name one in every request.
    const caller = operation.access === 'everyone' ? who : ctx.inSession.callerIn(request, who);
    const message = read(operation, request);
    if (response.destroyed) return;
    const origin = originOf(operation, caller, response, cancellations);
    if (operation.streams) return stream(ctx, { operation, request, message, origin }, response);
    sendReply(response, await perform(ctx, { operation, request, message, origin }));
  };
}

function withAddress(caller: Caller, { ip }: Request): Caller {
  const address = keptAddress(ip);
  return address === undefined ? caller : { ...caller, address };
}

/** Pass on what the owner tells, once it has accepted the request. */
async function stream(ctx: GatewayContext, exchange: Exchange, response: Response): Promise<void> {
  const { operation, message, origin } = exchange;
  const { deadline: _endless, ...lasting } = origin;
  if (response.req.method === 'HEAD') return void response.end();
  const signal = ctx.streams.admit(response);
  let events: AsyncIterable<LiveEvent> | undefined;
  const reply = await ctx.inSession.perform(operation, message, origin, async () => {
    try {
      events = (await operation.call(message, { ...lasting, signal })) as AsyncIterable<LiveEvent>;
      return accepted;
    } catch (thrown) {
      return errorReply(ctx.log, thrown, origin.requestId);
    }
  });
  if (events) await ctx.streams.send(response, events, signal);
  else sendReply(response, reply);
}

const accepted: Reply = { status: 200, text: '{"data":{}}', headers: {} };

function read(operation: Operation, request: Request): Message {
  const params = request.params as Record<string, string>;
  const last = operation.streams ? request.header('last-event-id') : undefined;
  return operation.read({ params, query: queryOf(request), body: request.body, ...(last && { last }) });
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
  if (isStoppedByMaintenance(operation)) ctx.maintenance.refuseWrites();
  const run = (creates?: Creation) => call(ctx, creates ? { ...exchange, origin: { ...origin, creates } } : exchange);
  const keyed = { request, message, origin, deadlineMs: operation.deadlineMs, isFoundAgain: isFoundAgain(operation) };
  return ctx.inSession.perform(operation, message, origin, () =>
    takesIdempotencyKey(operation) ? ctx.once.perform(keyed, run) : run(),
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

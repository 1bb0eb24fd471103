import { once } from 'node:events';
import {
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { context } from '@opentelemetry/api';
import { errorKinds, PlatformError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { measureRpc, traceRpc } from '../telemetry/rpc.ts';
import { type Interceptor, intercept, type Rpc } from './interceptor.ts';
import { errorToMetadata, originFromMetadata, traceContextOf } from './metadata.ts';
import { CallRefused, type Refusals } from './refusals.ts';
import type { Call } from './server.ts';

/** What answering a method takes. */
interface Means {
  path: string;
  /** Reads a request, once it is known that a service of ours has sent it. */
  read(bytes: Buffer): unknown;
  run(request: unknown, call: Call): Promise<unknown>;
  log: Logger;
  refusals: Refusals;
}

type IncomingCall = ServerUnaryCall<Buffer, unknown> | ServerWritableStream<Buffer, unknown>;

/** Answers the calls of a method by one message. */
export function answerOnce(means: Means) {
  const handle = handlerOf(means);
  return (call: ServerUnaryCall<Buffer, unknown>, reply: sendUnaryData<unknown>) => {
    handle(call, cancellationOf(call)).then(
      (response) => reply(null, response),
      (thrown) => reply(statusOf(thrown)),
    );
  };
}

/**
 * Answers the calls of a method by a stream. Headers are sent once the handler has accepted the call, so that a caller
 * knows of a refusal before the first message. A reader who is slow is waited for.
 */
export function answerStream(means: Means, stopping: AbortSignal) {
  const handle = handlerOf(means);
  return async (call: ServerWritableStream<Buffer, unknown>) => {
    const signal = AbortSignal.any([cancellationOf(call), stopping]);
    try {
      const messages = (await handle(call, signal)) as AsyncIterable<unknown>;
      call.sendMetadata(new Metadata());
      for await (const message of messages) {
        if (!call.write(message)) await once(call, 'drain', { signal });
      }
      call.end();
    } catch (thrown) {
      if (signal.aborted) call.end();
      else call.emit('error', statusOf(thrown));
    }
  };
}

function handlerOf({ path, read, run, log, refusals }: Means) {
  const handle = intercept([traceRpc, measureRpc, logFaults(log)], ({ request, origin }: Rpc) =>
    run(request, { ...origin, log: log.child({ request_id: origin.requestId }) }),
  );
  return async (call: IncomingCall, signal: AbortSignal): Promise<unknown> => {
    refusals.check(call, path);
    const request = read(call.request);
    const deadline = call.getDeadline();
    const until = deadline === Number.POSITIVE_INFINITY ? undefined : new Date(deadline);
    const origin = originFromMetadata(call.metadata, until, signal);
    return context.with(traceContextOf(call.metadata), () => handle({ path, request, origin }));
  };
}

function cancellationOf(call: IncomingCall): AbortSignal {
  const abort = new AbortController();
  call.on('cancelled', () => abort.abort());
  return abort.signal;
}

function statusOf(thrown: unknown): StatusObject {
  if (thrown instanceof CallRefused) {
    return { code: status.UNAUTHENTICATED, details: thrown.message, metadata: new Metadata() };
  }
  const error = PlatformError.from(thrown);
  return { code: errorKinds[error.code].grpc, details: error.message, metadata: errorToMetadata(error) };
}

/** Faults of ours get their stack into the log; what the caller did wrong stays at debug. */
function logFaults(log: Logger): Interceptor {
  return (next) => async (rpc) => {
    try {
      return await next(rpc);
    } catch (thrown) {
      const error = PlatformError.from(thrown);
      const facts = { rpc: rpc.path, request_id: rpc.origin.requestId, code: error.code };
      if (error.isFault) log.error({ ...facts, err: error.cause ?? error }, 'call failed');
      else log.debug({ ...facts, details: error.details }, error.message);
      throw error;
    }
  };
}

import { readFileSync } from 'node:fs';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { context } from '@opentelemetry/api';
import { HealthImplementation } from 'grpc-health-check';
import { errorKinds, PlatformError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { measureRpc, traceRpc } from '../telemetry.ts';
import { type RequestOf, type ResponseOf, type RpcDefinition, serviceNameOf, type UnaryMethod } from './definition.ts';
import { type Interceptor, intercept, type Origin, type Rpc } from './interceptor.ts';
import { errorToMetadata, originFromMetadata, traceContextOf } from './metadata.ts';

/** Largest message that services exchange, in bytes. Stored output of a command is the largest answer there is. */
export const maxMessageBytes = 32 * 1024 * 1024;

/** What a handler knows about the call besides its request. */
export interface Call extends Origin {
  /** Logger that names the request. */
  log: Logger;
}

/** One handler per RPC. */
export type Handlers<Definition extends RpcDefinition, Context> = {
  [Method in keyof Definition]: (
    ctx: Context,
    request: RequestOf<Definition[Method]>,
    call: Call,
  ) => Promise<ResponseOf<Definition[Method]>>;
};

/** A gRPC service with its handlers, ready to be served. */
export interface ServedService<Context> {
  definition: RpcDefinition;
  handlers: Readonly<Record<string, (ctx: Context, request: never, call: Call) => Promise<unknown>>>;
}

/** Tie a generated service definition to its handlers; the compiler checks that none is missing. */
export function serve<Context, Definition extends RpcDefinition>(
  definition: Definition,
  handlers: Handlers<Definition, Context>,
): ServedService<Context> {
  return { definition, handlers };
}

/** A running gRPC server. */
export interface RunningGrpcServer {
  port: number;
  /** Stop accepting, let calls in flight finish for so long, then cut them off. */
  stop(graceMs: number): Promise<void>;
}

/** Serve services with health (grpc.health.v1) and reflection. Port 0 takes a free one. */
export async function startGrpcServer<Context>(options: {
  host: string;
  port: number;
  services: readonly ServedService<Context>[];
  ctx: Context;
  log: Logger;
}): Promise<RunningGrpcServer> {
  const { ctx, log } = options;
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
  });
  for (const { definition, handlers } of options.services) {
    const implementation = Object.entries(definition).map(([name, method]) => {
      const handler = handlers[name];
      if (!handler) throw new Error(`no handler for ${method.path}`);
      return [name, unary(ctx, method, handler, log)] as const;
    });
    server.addService(definition, Object.fromEntries(implementation));
  }
  const names = options.services.map((service) => serviceNameOf(service.definition));
  const health = new HealthImplementation({ '': 'SERVING', ...Object.fromEntries(names.map((n) => [n, 'SERVING'])) });
  health.addToServer(server);
  const contract = readFileSync(new URL(import.meta.resolve('@claude-cli/proto/descriptor')));
  new ReflectionService(loadFileDescriptorSetFromBuffer(contract), { services: names }).addToServer(server);

  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${options.host}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    stop: (graceMs) => {
      for (const name of ['', ...names]) health.setStatus(name, 'NOT_SERVING');
      return new Promise((resolve) => {
        const cutOff = setTimeout(() => server.forceShutdown(), graceMs);
        server.tryShutdown(() => {
          clearTimeout(cutOff);
          resolve();
        });
      });
    },
  };
}

function unary<Context>(
  ctx: Context,
  method: UnaryMethod,
  handler: (ctx: Context, request: never, call: Call) => Promise<unknown>,
  log: Logger,
) {
  const run = intercept([traceRpc, measureRpc, logFaults(log)], ({ request, origin }: Rpc) => {
    const call = { ...origin, log: log.child({ request_id: origin.requestId }) };
    return handler(ctx, request as never, call);
  });
  return (call: ServerUnaryCall<unknown, unknown>, reply: sendUnaryData<unknown>) => {
    const abort = new AbortController();
    call.on('cancelled', () => abort.abort());
    const deadline = call.getDeadline();
    const until = deadline === Number.POSITIVE_INFINITY ? undefined : new Date(deadline);
    const origin = originFromMetadata(call.metadata, until, abort.signal);
    context
      .with(traceContextOf(call.metadata), () => run({ path: method.path, request: call.request, origin }))
      .then(
        (response) => reply(null, response),
        (thrown) => {
          const error = PlatformError.from(thrown);
          reply({ code: errorKinds[error.code].grpc, details: error.message, metadata: errorToMetadata(error) });
        },
      );
  };
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

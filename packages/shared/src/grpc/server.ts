import { Server, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Logger } from '../logger.ts';
import { answerOnce, answerStream } from './answering.ts';
import { type AnswerOf, type RequestOf, type RpcDefinition, type RpcMethod, serviceNameOf } from './definition.ts';
import type { Origin } from './interceptor.ts';
import { reflectionOf } from './reflection.ts';
import { Refusals } from './refusals.ts';
import { serverCredentials, type Trust } from './trust.ts';

/** Largest message that services exchange, in bytes. Stored output of a command is the largest answer there is. */
export const maxMessageBytes = 32 * 1024 * 1024;

/**
 * How long a connection is used before its client has to make a new one, in milliseconds; calls in flight end on the old one.
 * Only then does a client look up the addresses again, and so finds replicas that were added.
 */
const defaultConnectionAgeMs = 300_000;

/** What a handler knows about the call besides its request. */
export interface Call extends Origin {
  /** Logger that names the request. */
  log: Logger;
}

/**
 * One handler per RPC. That of a stream checks first, and then gives the messages; it stops giving them when the signal of
 * the call aborts: the caller has gone, or the server stops.
 */
export type Handlers<Definition extends RpcDefinition, Context> = {
  [Method in keyof Definition]: (
    ctx: Context,
    request: RequestOf<Definition[Method]>,
    call: Call,
  ) => Promise<AnswerOf<Definition[Method]>>;
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

/**
 * Serve services, to services that are trusted; health (grpc.health.v1) and reflection, to anybody. Port 0 takes a free one.
 */
export async function startGrpcServer<Context>(options: {
  host: string;
  port: number;
  services: readonly ServedService<Context>[];
  ctx: Context;
  log: Logger;
  trust: Trust;
  connectionAgeMs?: number;
}): Promise<RunningGrpcServer> {
  const { ctx, log, trust, connectionAgeMs = defaultConnectionAgeMs } = options;
  const refusals = new Refusals(trust.signatures, log);
  const stopping = new AbortController();
  const server = new Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': 30_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.max_connection_age_ms': connectionAgeMs,
  });
  for (const { definition, handlers } of options.services) {
    const received: Record<string, RpcMethod> = {};
    const implementation: UntypedServiceImplementation = {};
    for (const [name, method] of Object.entries(definition)) {
      const handler = handlers[name];
      if (!handler) throw new Error(`no handler for ${method.path}`);
      const run = (request: unknown, call: Call) => handler(ctx, request as never, call);
      const means = { path: method.path, read: method.requestDeserialize, run, log, refusals };
      received[name] = { ...method, requestDeserialize: (bytes) => bytes };
      implementation[name] = method.responseStream ? answerStream(means, stopping.signal) : answerOnce(means);
    }
    server.addService(received, implementation);
  }
  const names = options.services.map((service) => serviceNameOf(service.definition));
  const health = new HealthImplementation({ '': 'SERVING', ...Object.fromEntries(names.map((n) => [n, 'SERVING'])) });
  health.addToServer(server);
  reflectionOf(names).addToServer(server);

  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${options.host}:${options.port}`, serverCredentials(trust), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    port,
    stop: (graceMs) => {
      stopping.abort();
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

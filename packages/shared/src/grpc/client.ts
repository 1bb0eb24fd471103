import { setTimeout } from 'node:timers/promises';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { PlatformError } from '../errors.ts';
import { measureClientRpc, traceClientRpc } from '../telemetry.ts';
import type { RequestOf, ResponseOf, RpcDefinition } from './definition.ts';
import { intercept, type Origin, type Rpc } from './interceptor.ts';
import { errorFromMetadata, originToMetadata } from './metadata.ts';
import { maxMessageBytes } from './server.ts';

/** How long a call may take when neither the call nor its origin says. */
const defaultDeadlineMs = 5_000;

/** Longest pause between attempts to connect to a service that is away, in milliseconds. */
const maxReconnectMs = 500;
/** Pauses before a read is sent again. Together longer than the above, so that a service that is back is always reached. */
const retryPausesMs = [150, 300, 600];

/** A typed client: one async function per RPC. */
export type RpcClient<Definition extends RpcDefinition> = {
  [Method in keyof Definition]: (
    request: RequestOf<Definition[Method]>,
    origin: Origin,
    options?: CallOptions,
  ) => Promise<ResponseOf<Definition[Method]>>;
};

/** How one call differs from the default. */
export interface CallOptions {
  /** Milliseconds until the call fails with UPSTREAM_ERROR; never longer than the origin's own deadline. */
  deadlineMs?: number;
}

/** A connection to one service at one address, shared by any number of clients. Connects when first used, and again when lost. */
export class RpcChannel {
  readonly #client: Client;

  /** @param address host:port; behind a DNS name with several addresses, calls go round robin */
  constructor(address: string) {
    this.#client = new Client(`dns:///${address}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': maxReconnectMs,
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    });
  }

  /** A typed client of a service behind this connection. Reads are tried again when the service was unreachable. */
  client<Definition extends RpcDefinition>(definition: Definition): RpcClient<Definition> {
    const methods = Object.entries(definition).map(([name, method]) => {
      const pauses = isRead(method.path) ? retryPausesMs : [];
      const run = intercept([traceClientRpc, measureClientRpc], (rpc) => this.#attempt(method, rpc, pauses));
      const call = (request: unknown, origin: Origin, options?: CallOptions) =>
        run({ path: method.path, request, origin: { ...origin, deadline: earliest(origin.deadline, options) } });
      return [name, call] as const;
    });
    return Object.fromEntries(methods) as unknown as RpcClient<Definition>;
  }

  /** Close the connection; calls in flight fail. */
  close(): void {
    this.#client.close();
  }

  async #attempt(method: RpcDefinition[string], rpc: Rpc, pauses: readonly number[]): Promise<unknown> {
    try {
      return await this.#send(method, rpc);
    } catch (thrown) {
      const error = thrown as ServiceError | PlatformError;
      const [pause, ...rest] = pauses;
      if (pause === undefined || !isUnreachable(error)) throw toPlatformError(error, rpc.path);
      await setTimeout(pause * (0.75 + Math.random() / 2));
      return this.#attempt(method, rpc, rest);
    }
  }

  #send(method: RpcDefinition[string], { path, request, origin }: Rpc): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (origin.signal?.aborted) return reject(new PlatformError('UPSTREAM_ERROR', 'The caller has gone'));
      const call = this.#client.makeUnaryRequest(
        path,
        method.requestSerialize,
        method.responseDeserialize,
        request,
        originToMetadata(origin),
        { deadline: origin.deadline ?? Date.now() + defaultDeadlineMs },
        (error, response) => (error ? reject(error) : resolve(response)),
      );
      origin.signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  }
}

/** Reads by name change nothing, so sending one twice is harmless. */
function isRead(path: string): boolean {
  return /\/(Get|List|Check|Diagnose)[A-Za-z]*$/.test(path);
}

function earliest(inherited: Date | undefined, options: CallOptions | undefined): Date {
  const own = Date.now() + (options?.deadlineMs ?? defaultDeadlineMs);
  return new Date(inherited ? Math.min(own, inherited.getTime()) : own);
}

/** Nobody answered; a service of ours that answers UNAVAILABLE says why. A connection that broke off comes as INTERNAL. */
function isUnreachable(error: ServiceError | PlatformError): boolean {
  if (error instanceof PlatformError) return false;
  const { code, details, metadata } = error;
  if (code === status.INTERNAL) return /RST_STREAM|Session closed|GOAWAY/i.test(details);
  return code === status.UNAVAILABLE && !(metadata && errorFromMetadata(metadata, details, undefined));
}

function toPlatformError(error: ServiceError | PlatformError, path: string): PlatformError {
  if (error instanceof PlatformError) return error;
  const carried = error.metadata && errorFromMetadata(error.metadata, error.details, error);
  if (carried) return carried;
  const service = path.slice(1, path.lastIndexOf('/')).split('.').at(-1);
  if (isUnreachable(error)) {
    return new PlatformError('SERVICE_UNAVAILABLE', `${service} cannot be reached`, { service }, error);
  }
  if (error.code === status.DEADLINE_EXCEEDED || error.code === status.CANCELLED) {
    return new PlatformError('UPSTREAM_ERROR', `${service} did not answer in time`, { service }, error);
  }
  return PlatformError.from(error);
}

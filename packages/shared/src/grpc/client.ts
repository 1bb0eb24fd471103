import { setTimeout } from 'node:timers/promises';
import { Client, type ServiceError, status } from '@grpc/grpc-js';
import { PlatformError } from '../errors.ts';
import { measureClientRpc, traceClientRpc } from '../telemetry/rpc.ts';
import type { AnswerOf, RequestOf, RpcDefinition } from './definition.ts';
import { intercept, type Origin, type Rpc } from './interceptor.ts';
import { errorFromMetadata, originToMetadata } from './metadata.ts';
import { openStream } from './open-stream.ts';
import { maxMessageBytes } from './server.ts';
import { channelCredentials, type Trust } from './trust.ts';

/** How long a call may take when neither the call, its origin nor its channel says. */
const defaultDeadlineMs = 5_000;

/** Longest pause between attempts to connect to a service that is away, in milliseconds. */
const maxReconnectMs = 500;
/** Pauses before a read is sent again. Together longer than the above, so that a service that is back is always reached. */
const retryPausesMs = [150, 300, 600];

/** A typed client: one async function per RPC. That of a stream resolves once the service has accepted the call. */
export type RpcClient<Definition extends RpcDefinition> = {
  [Method in keyof Definition]: (
    request: RequestOf<Definition[Method]>,
    origin: Origin,
    options?: CallOptions,
  ) => Promise<AnswerOf<Definition[Method]>>;
};

/** How one call differs from the default. */
export interface CallOptions {
  /**
   * Milliseconds until the call fails with UPSTREAM_ERROR; never longer than the origin's own deadline. For a stream: until
   * it has begun.
   */
  deadlineMs?: number;
}

/** How a connection differs from the default. */
export interface ChannelOptions {
  /** Milliseconds that a call may take when neither it nor its origin says; 5 s when absent. */
  deadlineMs?: number;
  /** All calls go to the same replica, for as long as the connection to it lasts. */
  sticky?: boolean;
}

/** A connection to one service at one address, shared by any number of clients. Connects when first used, and again when lost. */
export class RpcChannel {
  readonly #client: Client;
  readonly #trust: Trust;
  readonly #deadlineMs: number;

  /** @param address host:port, or several of IPv4, comma-separated; among several, and those of a DNS name, calls go round robin */
  constructor(address: string, trust: Trust, { deadlineMs = defaultDeadlineMs, sticky = false }: ChannelOptions = {}) {
    const policy = sticky ? { pick_first: { shuffleAddressList: true } } : { round_robin: {} };
    this.#trust = trust;
    this.#deadlineMs = deadlineMs;
    this.#client = new Client(targetOf(address), channelCredentials(trust), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.keepalive_timeout_ms': 10_000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': maxReconnectMs,
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [policy] }),
    });
  }

  /** A typed client of a service behind this connection. Reads are tried again when the service was unreachable. */
  client<Definition extends RpcDefinition>(definition: Definition): RpcClient<Definition> {
    const methods = Object.entries(definition).map(([name, method]) => {
      const pauses = isRead(method.path) ? retryPausesMs : [];
      const run = intercept([traceClientRpc, measureClientRpc], (rpc) => this.#attempt(method, rpc, pauses));
      const call = (request: unknown, origin: Origin, options?: CallOptions) =>
        run({ path: method.path, request, origin: { ...origin, deadline: this.#earliest(origin.deadline, options) } });
      return [name, call] as const;
    });
    return Object.fromEntries(methods) as unknown as RpcClient<Definition>;
  }

  /** Close the connection; calls in flight fail. */
  close(): void {
    this.#client.close();
  }

  #earliest(inherited: Date | undefined, options: CallOptions | undefined): Date {
    const own = Date.now() + (options?.deadlineMs ?? this.#deadlineMs);
    return new Date(inherited ? Math.min(own, inherited.getTime()) : own);
  }

  async #attempt(method: RpcDefinition[string], rpc: Rpc, pauses: readonly number[]): Promise<unknown> {
    try {
      return await (method.responseStream ? this.#open(method, rpc) : this.#send(method, rpc));
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
      const deadline = origin.deadline?.getTime() ?? Date.now() + this.#deadlineMs;
      const bytes = method.requestSerialize(request);
      const call = this.#client.makeUnaryRequest(
        path,
        asItIs,
        method.responseDeserialize,
        bytes,
        originToMetadata(origin, { path, request: bytes, until: deadline }, this.#trust.signatures),
        { deadline },
        (error, response) => (error ? reject(error) : resolve(response)),
      );
      origin.signal?.addEventListener('abort', () => call.cancel(), { once: true });
    });
  }

  async #open(method: RpcDefinition[string], rpc: Rpc): Promise<AsyncIterable<unknown>> {
    const { path, request, origin } = rpc;
    const until = origin.deadline?.getTime() ?? Date.now() + this.#deadlineMs;
    const bytes = method.requestSerialize(request);
    const metadata = originToMetadata(origin, { path, request: bytes, until }, this.#trust.signatures);
    const call = this.#client.makeServerStreamRequest(path, asItIs, method.responseDeserialize, bytes, metadata);
    return openStream(call, until - Date.now(), origin.signal, (error) => toPlatformError(error, path));
  }
}

/** A request is signed by its bytes, so it is serialized before it is sent. */
function asItIs(bytes: Buffer): Buffer {
  return bytes;
}

/** The address as a target of gRPC. */
function targetOf(address: string): string {
  return address.includes(',') ? `ipv4:${address}` : `dns:///${address}`;
}

/** Reads by name change nothing, so sending one twice is harmless. */
function isRead(path: string): boolean {
  return /\/(Get|List|Check|Diagnose|Stream)[A-Za-z]*$/.test(path);
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

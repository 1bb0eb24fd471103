import type { Caller } from '../caller.ts';
import type { Creation } from '../creation.ts';

/** From where a call comes: carried in metadata from the gateway through every service that takes part. */
export interface Origin {
  caller: Caller;
  /** Id of the request that started it all, as in X-Request-ID. */
  requestId: string;
  /** What the request creates, when it must not be done twice. */
  creates?: Creation;
  /** When the caller stops waiting. */
  deadline?: Date;
  /** Aborts when the caller has gone. */
  signal?: AbortSignal;
}

/** Whether the caller has gone, or waits for less than so many milliseconds more. */
export function isLate({ signal, deadline }: Origin, milliseconds = 0): boolean {
  return signal?.aborted === true || (deadline !== undefined && deadline.getTime() - Date.now() < milliseconds);
}

/** One unary call, on either side. */
export interface Rpc {
  /** Full method name: "/platform.v1.TaskService/GetTask". */
  path: string;
  request: unknown;
  origin: Origin;
}

/** Cross-cutting work around a call, on the server's and on the client's side alike. The first of a list is the outermost. */
export type Interceptor = (next: (rpc: Rpc) => Promise<unknown>) => (rpc: Rpc) => Promise<unknown>;

/** A call with all interceptors around it. */
export function intercept(
  interceptors: readonly Interceptor[],
  handler: (rpc: Rpc) => Promise<unknown>,
): (rpc: Rpc) => Promise<unknown> {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), handler);
}

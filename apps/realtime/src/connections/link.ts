import type { Pipe } from './outbound.ts';

/** Why a connection is closed: a code, or with when to come back. */
export type CloseReason = string | { reason: string; retry_after_ms: number };

/** The transports. */
export const transports = ['websocket', 'socketio', 'sse'] as const;

/** By what a client is connected. */
export type Transport = (typeof transports)[number];

/** The way to one client by some transport: takes messages as long as it is not full, and is ended once. */
export interface Link extends Pipe {
  readonly transport: Transport;
  /** Whether it takes messages; not any more once it was ended. */
  readonly open: boolean;
  /** Latest round trip, in milliseconds; undefined where it is not measured. */
  readonly latencyMs?: number | undefined;
  /** It is there for its subscriptions alone, and ends with the last of them. */
  readonly endsWithSubscriptions?: boolean;
  /** End it when what was written is sent. @param code as WebSockets have it; told in the way of the transport */
  end(code: number, reason: CloseReason): void;
  /** End it now, without the client. */
  cut(): void;
  /** Ask for a sign of life; a client that owes one from before is cut. For transports that do not by themselves. */
  ping?(): void;
}

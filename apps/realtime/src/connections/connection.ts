import { anonymous } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import type { Limits } from '../limits.ts';
import { type Encoded, errorMessage } from '../messages/encoded.ts';
import { isUnwanted } from '../notifications/unwanted.ts';
import type { Subscriber } from '../subscriptions/hub.ts';
import type { CloseReason, Link, Transport } from './link.ts';
import { Outbound } from './outbound.ts';

/** Longest delay that a timer takes, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/** What is known of a client before it has signed in. */
export interface Arrival {
  /** Session that it names; some need none, others name it as they sign in. */
  sessionId?: string | undefined;
  requestId: string;
}

/**
 * One client, by whatever transport: waiting for authentication, then signed in until its token expires, then closed. Each
 * of the first two states ends by its deadline at the latest.
 */
export class Connection implements Subscriber {
  readonly id = newId();
  sessionId: string | undefined;
  /** Anonymous until the connection has signed in. */
  origin: Origin;
  unwanted: ReadonlySet<string> = new Set();
  readonly #link: Link;
  readonly #limits: Limits;
  readonly #outbound: Outbound;
  #deadline: NodeJS.Timeout | undefined;
  #cut: NodeJS.Timeout | undefined;

  /** Whoever makes it calls `flush` when the link is not full any more, and `over` when it has ended. */
  constructor(link: Link, { sessionId, requestId }: Arrival, limits: Limits) {
    this.#link = link;
    this.#limits = limits;
    this.sessionId = sessionId;
    this.origin = { caller: anonymous, requestId };
    this.#outbound = new Outbound(link, limits, () => this.close(4408, 'messages are read too slowly'));
    this.#refuseAt(
      Date.now() + limits.authenticateMs,
      new PlatformError('AUTH_TOKEN_MISSING', 'Not authenticated in time'),
    );
  }

  get authenticated(): boolean {
    return this.origin.caller !== anonymous;
  }

  get closed(): boolean {
    return !this.#link.open;
  }

  get transport(): Transport {
    return this.#link.transport;
  }

  /** Latest round trip, in milliseconds. */
  get latencyMs(): number | undefined {
    return this.#link.latencyMs;
  }

  /** The connection has signed in, until a time in milliseconds since the epoch. */
  identify(origin: Origin, until: number): void {
    if (this.closed) return;
    this.origin = origin;
    this.#refuseAt(until, new PlatformError('AUTH_TOKEN_INVALID', 'The token has expired'));
  }

  /** Bytes that wait until the client has read what was sent before. */
  get waitingBytes(): number {
    return this.#outbound.bytes;
  }

  send(message: Encoded): void {
    if (this.closed || (this.unwanted.size > 0 && isUnwanted(message.message, this.unwanted))) return;
    this.#outbound.send(message);
  }

  drained(): Promise<void> {
    return this.#outbound.drained();
  }

  /** Pass on what waits. */
  flush(): void {
    this.#outbound.flush();
  }

  /** Tell why, and close. */
  refuse(error: PlatformError, closeCode: number, requestId?: string): void {
    this.send(errorMessage(error, requestId));
    this.close(closeCode, error.code);
  }

  /** Close; a client that does not agree in time is cut. */
  close(code: number, reason: CloseReason): void {
    // First: some links are over at once.
    this.#cut ??= setTimeout(() => this.#link.cut(), this.#limits.closeMs);
    this.#link.end(code, reason);
  }

  bereft(error: PlatformError): void {
    if (this.#link.endsWithSubscriptions) this.close(4403, error.code);
  }

  /** Ask for a sign of life. */
  ping(): void {
    this.#link.ping?.();
  }

  /** The link has ended. */
  over(): void {
    this.#outbound.end();
    clearTimeout(this.#deadline);
    clearTimeout(this.#cut);
  }

  #refuseAt(time: number, error: PlatformError): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(
      () => {
        if (Date.now() < time) this.#refuseAt(time, error);
        else this.refuse(error, 4401);
      },
      Math.min(Math.max(1, time - Date.now()), longestTimerMs),
    );
  }
}

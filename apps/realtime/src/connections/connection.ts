import { anonymous } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { WebSocket } from 'ws';
import type { Limits } from '../limits.ts';
import { type Encoded, errorMessage } from '../messages/encoded.ts';
import type { Subscriber } from '../subscriptions/hub.ts';
import { Outbound } from './outbound.ts';

/** Longest delay that a timer takes, in milliseconds. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * One WebSocket: waiting for authentication, then signed in until its token expires, then closed. Each of the first two
 * states ends by its deadline at the latest.
 */
export class Connection implements Subscriber {
  readonly sessionId: string;
  /** Anonymous until the connection has signed in. */
  origin: Origin;
  /** Latest round trip of a ping. */
  latencyMs: number | undefined;
  readonly #socket: WebSocket;
  readonly #limits: Limits;
  readonly #outbound: Outbound;
  #deadline: NodeJS.Timeout | undefined;
  #cut: NodeJS.Timeout | undefined;
  #pingedAt: number | undefined;

  constructor(socket: WebSocket, sessionId: string, requestId: string, limits: Limits) {
    this.#socket = socket;
    this.#limits = limits;
    this.sessionId = sessionId;
    this.origin = { caller: anonymous, requestId };
    this.#outbound = new Outbound(socket, limits, () => this.close(4408, 'messages are read too slowly'));
    this.#refuseAt(
      Date.now() + limits.authenticateMs,
      new PlatformError('AUTH_TOKEN_MISSING', 'Not authenticated in time'),
    );
    socket.on('pong', () => {
      if (this.#pingedAt !== undefined) this.latencyMs = performance.now() - this.#pingedAt;
      this.#pingedAt = undefined;
    });
    socket.once('close', () => {
      clearTimeout(this.#deadline);
      clearTimeout(this.#cut);
    });
  }

  get authenticated(): boolean {
    return this.origin.caller !== anonymous;
  }

  get closed(): boolean {
    return this.#socket.readyState !== WebSocket.OPEN;
  }

  /** The connection has signed in, until a time in milliseconds since the epoch. */
  identify(origin: Origin, until: number): void {
    if (this.closed) return;
    this.origin = origin;
    this.#refuseAt(until, new PlatformError('AUTH_TOKEN_INVALID', 'The token has expired'));
  }

  send(message: Encoded): void {
    this.#outbound.send(message);
  }

  /** Tell why, and close. */
  refuse(error: PlatformError, closeCode: number, requestId?: string): void {
    this.send(errorMessage(error, requestId));
    this.close(closeCode, error.code);
  }

  /** Close; a client that does not agree in time is cut. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    this.#cut ??= setTimeout(() => this.#socket.terminate(), this.#limits.closeMs);
  }

  /** Measure the round trip; a client that owes the answer to an earlier ping is cut. */
  ping(): void {
    if (this.#pingedAt === undefined) {
      if (this.closed) return;
      this.#pingedAt = performance.now();
      this.#socket.ping();
      // The first ping comes out of turn, perhaps just before the next one: it is no reason to cut yet.
    } else if (performance.now() - this.#pingedAt > this.#limits.pingMs / 2) {
      this.#socket.terminate();
    }
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

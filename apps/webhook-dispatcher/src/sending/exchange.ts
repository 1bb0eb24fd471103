import { StringDecoder } from 'node:string_decoder';
import type { Dispatcher } from 'undici';
import { describeFault } from './faults.ts';
import type { Limits } from './limits.ts';
import { type Fault, isSuccess, type Outcome } from './outcome.ts';
import { parseRetryAfter } from './retry.ts';

/**
 * One request and its answer, as undici tells of them. The status decides what the answer is worth; the body is only kept
 * as far as it is short, and what comes after that, or too slowly, is cut off with the connection.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly outcome: Promise<Outcome>;
  readonly #settle: (outcome: Outcome) => void;
  readonly #limits: Limits;
  readonly #started = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #decoder = new StringDecoder('utf8');
  #controller: Dispatcher.DispatchController | undefined;
  #status: number | null = null;
  #retryAfterMs: number | null = null;
  #response = '';
  #bytes = 0;
  #settled = false;

  constructor(limits: Limits) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#settle = resolve;
    this.#limits = limits;
    this.#timer = setTimeout(() => this.#giveUp('timeout'), limits.requestMs);
  }

  /** End it now. */
  stop(): void {
    this.#giveUp('stopped');
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It was given up while there was no connection: nothing is to be sent any more.
    if (this.#settled) controller.abort(new Error('given up'));
  }

  onResponseStart(_controller: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // Of 1xx, undici tells as well; the answer comes after it.
    if (status < 200) return;
    this.#status = status;
    this.#retryAfterMs = parseRetryAfter(headers['retry-after'], new Date());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const room = this.#limits.responseBytes - this.#bytes;
    this.#response += this.#decoder.write(chunk.subarray(0, room));
    this.#bytes += Math.min(chunk.length, room);
    if (chunk.length <= room) return;
    this.#end(null, null);
    controller.abort(new Error('the answer is long'));
  }

  onResponseEnd(): void {
    this.#end(null, null);
  }

  onResponseError(_controller: unknown, error: Error): void {
    const { fault, text } = describeFault(error);
    this.#end(fault, text);
  }

  #giveUp(fault: Fault): void {
    const seconds = this.#limits.requestMs / 1000;
    this.#end(fault, fault === 'timeout' ? `no answer within ${seconds} s` : 'interrupted');
    this.#controller?.abort(new Error('given up'));
  }

  /** The answer is there, or as much of it as there will be. Once there is a status, that tells more than the fault after it. */
  #end(fault: Fault | null, error: string | null): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    const status_code = this.#status;
    const answered = status_code !== null;
    const statusError = isSuccess({ status_code }) ? null : `answered ${status_code}`;
    this.#settle({
      duration_ms: Math.round((performance.now() - this.#started) * 10) / 10,
      status_code,
      fault: answered ? null : fault,
      error: answered ? statusError : error,
      response: this.#response,
      retryAfterMs: this.#retryAfterMs,
    });
  }
}

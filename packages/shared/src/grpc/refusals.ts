import type { Metadata } from '@grpc/grpc-js';
import { Counter } from 'prom-client';
import type { Logger } from '../logger.ts';
import { metrics } from '../telemetry/metrics.ts';
import { refusalOf } from './metadata.ts';
import type { CallSignatures } from './signature.ts';

const refusedCalls = new Counter({
  name: 'rpc_refused_total',
  help: 'gRPC calls that no service of ours had signed',
  registers: [metrics],
});

/** At most one refusal per so many milliseconds is logged, so that whoever knocks cannot fill the log. */
const loggedEveryMs = 1_000;

/** A call that is not answered, since nobody knows from whom it comes. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
}

/** Refuses calls that no service of ours has signed. */
export class Refusals {
  readonly #signatures: CallSignatures;
  readonly #log: Logger;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(signatures: CallSignatures, log: Logger) {
    this.#signatures = signatures;
    this.#log = log;
  }

  /** @throws CallRefused */
  check(call: { metadata: Metadata; request: Uint8Array; getPeer(): string }, path: string): void {
    const reason = refusalOf(call.metadata, { path, request: call.request }, this.#signatures);
    if (reason === undefined) return;
    refusedCalls.inc();
    this.#note({ rpc: path, peer: call.getPeer(), reason });
    throw new CallRefused(`The call is refused: ${reason}`);
  }

  #note(facts: object): void {
    const now = performance.now();
    if (now - this.#loggedAt < loggedEveryMs) return void this.#unlogged++;
    this.#log.warn({ ...facts, others: this.#unlogged }, 'a call that no service of ours has signed is refused');
    this.#loggedAt = now;
    this.#unlogged = 0;
  }
}

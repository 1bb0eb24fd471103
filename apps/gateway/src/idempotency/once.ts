import { createHash, randomUUID } from 'node:crypto';
import { IdempotencyServiceService } from '@claude-cli/proto/platform/v1/idempotency';
import type { Creation } from '@claude-cli/shared/creation';
import { type ErrorCode, PlatformError } from '@claude-cli/shared/errors';
import type { RpcChannel, RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Logger } from '@claude-cli/shared/logger';
import { type Seal, sealUnder } from '@claude-cli/shared/seal';
import type { Request } from 'express';
import { invalid } from '../contract/validator.ts';
import type { Reply } from '../http/reply.ts';

const header = 'idempotency-key';
const sane = /^[\x21-\x7e]{1,255}$/;
/** Larger answers are not kept, in bytes: no answer to a POST comes near. */
const maxAnswerBytes = 1024 * 1024;
/** What an attempt may take beyond its deadline, in milliseconds, before it counts as dead. */
const graceMs = 10_000;
/** Answers which say that nothing was done, so that a repetition is a new attempt. */
const nothingDone: readonly ErrorCode[] = [
  'SYSTEM_OVERLOADED',
  'SYSTEM_MAINTENANCE',
  'QUEUE_FULL',
  'RATE_LIMIT_EXCEEDED',
];

/**
 * Answers which leave open what was done: a repetition is a new attempt that is told so. Where it would not find what the one
 * before has created, a call that was not answered in time is the last word instead, rather than be done twice.
 */
const mayBeDone = (code: ErrorCode, isFoundAgain: boolean) =>
  code === 'SERVICE_UNAVAILABLE' || (code === 'UPSTREAM_ERROR' && isFoundAgain);

/** A request that may carry an Idempotency-Key. */
export interface KeyedRequest {
  request: Request;
  /** The request message, read and validated. */
  message: unknown;
  origin: Origin;
  deadlineMs: number;
  /** Whether an attempt finds what an earlier one has created, or is creating. */
  isFoundAgain: boolean;
}

/**
 * Does a request with an Idempotency-Key once: whoever repeats it within 24 hours gets the first answer. Remembered by
 * project-service, so that it holds for all replicas and over restarts. An attempt whose gateway died can be repeated once
 * its lease is over, one that was not answered in time at once; whoever does it is told that what it creates may be there.
 */
export class Once {
  readonly #requests: RpcClient<typeof IdempotencyServiceService>;
  readonly #seal: Seal;
  readonly #log: Logger;

  constructor(projectService: RpcChannel, secrets: readonly string[], log: Logger) {
    this.#requests = projectService.client(IdempotencyServiceService);
    this.#seal = sealUnder(secrets, 'kept answers');
    this.#log = log;
  }

  /** @throws PlatformError IDEMPOTENCY_KEY_IN_USE, IDEMPOTENCY_KEY_REUSED, VALIDATION_INVALID_FORMAT for a key that is none */
  async perform(keyed: KeyedRequest, run: (creates?: Creation) => Promise<Reply>): Promise<Reply> {
    const key = keyOf(keyed.request);
    if (key === undefined) return run();
    const attempt = { user_id: keyed.origin.caller.user_id, key, attempt_id: randomUUID() };
    const begun = await this.#requests.beginRequest(
      { ...attempt, fingerprint: fingerprintOf(keyed), lease_ms: keyed.deadlineMs + graceMs },
      keyed.origin,
    );
    switch (begun.verdict) {
      case 'answered':
        return this.#repeat(begun);
      case 'in_progress':
        throw new PlatformError('IDEMPOTENCY_KEY_IN_USE', 'The request with this Idempotency-Key is still being done', {
          retry_at: new Date(Date.now() + 1_000).toISOString(),
        });
      case 'other_request':
        throw new PlatformError('IDEMPOTENCY_KEY_REUSED', 'The Idempotency-Key was used for another request before');
      case 'begun': {
        const reply = await run({ id: begun.creates_id, again: begun.again });
        await this.#settle(attempt, reply, keyed);
        return reply;
      }
    }
  }

  #repeat({ status, answer }: { status: number; answer: Uint8Array }): Reply {
    const text = this.#seal.open(answer);
    if (text === undefined) {
      throw new PlatformError('RESOURCE_CONFLICT', 'The request was done before; its answer cannot be read any more');
    }
    return { status, text, headers: { 'Idempotency-Replayed': 'true' } };
  }

  async #settle(attempt: { user_id: string; key: string; attempt_id: string }, reply: Reply, keyed: KeyedRequest) {
    const { origin, isFoundAgain } = keyed;
    const { status, text, error } = reply;
    // The caller's deadline may be over by now; what became of the request is to be remembered all the same.
    const ours = { caller: origin.caller, requestId: origin.requestId };
    const may_be_done = error !== undefined && mayBeDone(error.code, isFoundAgain);
    const isOpen = may_be_done || (error !== undefined && nothingDone.includes(error.code));
    const tooLarge = Buffer.byteLength(text) > maxAnswerBytes;
    try {
      if (isOpen) await this.#requests.abandonRequest({ ...attempt, may_be_done }, ours);
      else if (!tooLarge)
        await this.#requests.finishRequest({ ...attempt, status, answer: this.#seal.close(text) }, ours);
    } catch (err) {
      this.#log.warn({ err, request_id: origin.requestId }, 'the answer for an Idempotency-Key could not be kept');
    }
  }
}

function keyOf({ headers }: Request): string | undefined {
  const key = headers[header];
  if (key === undefined) return undefined;
  if (typeof key === 'string' && sane.test(key)) return key;
  throw invalid('Idempotency-Key', 'must be 1 to 255 visible ASCII characters', 'VALIDATION_INVALID_FORMAT');
}

/** The same for every repetition. Of what was read, not of its bytes: blanks and the order of keys make no difference. */
function fingerprintOf({ request, message }: KeyedRequest): string {
  const text = JSON.stringify([request.method, request.path.replace(/\/$/, ''), message], inOrder);
  return createHash('sha256').update(text).digest('hex');
}

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

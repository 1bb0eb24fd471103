import type {
  BeginRequestRequest,
  BeginRequestResponse,
  BeginRequestResponse_Verdict,
} from '@claude-cli/proto/platform/v1/idempotency';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import { idOf, judge, type KeptRequest } from './kept-request.ts';

/** Longest lease, in milliseconds. */
const maxLeaseMs = 60 * 60 * 1000;
/** How often the decision is made anew when the key changes hands meanwhile. */
const maxAttempts = 10;

/**
 * Take a key, or learn what became of the request that took it before. Each way to take it is one write that holds only in
 * the state that was read, so of attempts that race, one begins.
 */
export async function beginRequest(ctx: Context, request: BeginRequestRequest): Promise<BeginRequestResponse> {
  if (request.lease_ms < 1 || request.lease_ms > maxLeaseMs)
    throw invalidField('lease_ms', `must be 1 to ${maxLeaseMs}`);
  const _id = idOf(request);
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const now = new Date();
    const fresh = freshRequest(request, now);
    if (await insert(ctx, { _id, ...fresh })) return begun(fresh);
    const kept = await ctx.keptRequests.findOne({ _id }).lean();
    if (!kept) continue;
    const judged = judge(kept, request, now);
    if (judged !== 'take_over' && judged !== 'replace') return answerFor(judged, kept);
    const { created_at, creates_id = fresh.creates_id } = kept;
    const next = judged === 'take_over' ? { ...fresh, created_at, creates_id, again: true } : fresh;
    const asRead = { _id, attempt_id: kept.attempt_id, status: kept.status, created_at: kept.created_at };
    const { matchedCount } = await ctx.keptRequests.updateOne(asRead, { $set: next });
    if (matchedCount > 0) return begun(next);
  }
  throw new PlatformError('RESOURCE_CONFLICT', 'The key keeps changing hands, try again');
}

function freshRequest(request: BeginRequestRequest, now: Date): Omit<KeptRequest, '_id'> {
  return {
    fingerprint: request.fingerprint,
    attempt_id: request.attempt_id,
    creates_id: newId(),
    again: false,
    lease_until: new Date(now.getTime() + request.lease_ms),
    created_at: now,
    status: null,
    answer: null,
  };
}

async function insert(ctx: Context, request: KeptRequest): Promise<boolean> {
  try {
    await ctx.keptRequests.create(request);
    return true;
  } catch (thrown) {
    if (isDuplicateKey(thrown)) return false;
    throw thrown;
  }
}

function verdict(is: BeginRequestResponse_Verdict): BeginRequestResponse {
  return { verdict: is, status: 0, answer: new Uint8Array(), creates_id: '', again: false };
}

function begun({ creates_id = '', again = false }: Pick<KeptRequest, 'creates_id' | 'again'>): BeginRequestResponse {
  return { ...verdict('begun'), creates_id, again };
}

function answerFor(judged: BeginRequestResponse_Verdict, kept: KeptRequest): BeginRequestResponse {
  if (judged === 'in_progress') return { ...verdict(judged), retry_at: kept.lease_until.toISOString() };
  if (judged === 'begun') return begun(kept);
  if (judged !== 'answered') return verdict(judged);
  return { ...verdict(judged), status: kept.status ?? 0, answer: kept.answer?.value() ?? new Uint8Array() };
}

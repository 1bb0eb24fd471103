import type { FinishRequestRequest, FinishRequestResponse } from '@claude-cli/proto/platform/v1/idempotency';
import { invalidField, PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import { idOf } from './kept-request.ts';

/** Largest answer that is kept, in bytes. */
export const maxAnswerBytes = 1_048_576;

/** Keep the answer of a request for those who repeat it. An attempt that was taken over has nothing to say any more. */
export async function finishRequest(ctx: Context, request: FinishRequestRequest): Promise<FinishRequestResponse> {
  const { attempt_id, status, answer } = request;
  if (answer.byteLength > maxAnswerBytes) {
    throw invalidField('answer', `must be at most ${maxAnswerBytes} bytes`, 'VALIDATION_VALUE_TOO_LONG');
  }
  // Whether it is answered already is not asked: a report whose own answer was lost may come again.
  const held = { _id: idOf(request), attempt_id };
  const { matchedCount } = await ctx.keptRequests.updateOne(held, { $set: { status, answer: Buffer.from(answer) } });
  if (matchedCount > 0) return {};
  throw new PlatformError('RESOURCE_CONFLICT', 'Another attempt holds the key');
}

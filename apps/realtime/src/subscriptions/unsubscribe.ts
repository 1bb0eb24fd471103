import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { Subscriber } from './hub.ts';
import { end } from './ledger.ts';
import { describe, type TargetRequest, targetOf, topicOf } from './subscription.ts';

/** Listen no more. Answered alike when there was nothing to end. */
export async function unsubscribe(ctx: Context, subscriber: Subscriber, request: TargetRequest): Promise<Answer> {
  const target = targetOf(request);
  await end(ctx, subscriber, topicOf(target));
  return { type: 'unsubscribed', data: describe(target) };
}

import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import type { Subscriber } from './hub.ts';
import { begin } from './ledger.ts';
import { locate } from './locate.ts';
import { describe, type TargetRequest, targetOf } from './subscription.ts';

/** Listen to a channel. */
export async function subscribe(ctx: Context, subscriber: Subscriber, request: TargetRequest): Promise<Answer> {
  const target = targetOf(request);
  const projectId = await locate(ctx, subscriber.origin, target);
  await begin(ctx, subscriber, { ...target, projectId, automatic: false });
  return { type: 'subscribed', data: describe(target) };
}

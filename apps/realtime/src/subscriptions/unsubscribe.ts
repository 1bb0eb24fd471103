import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import { unsubscribeFromMeasurements } from '../metrics/subscribe-to-state.ts';
import type { Subscriber } from './hub.ts';
import { end } from './ledger.ts';
import { describe, type TargetRequest, targetsOf, topicOf } from './subscription.ts';

/** Listen no more. Answered alike when there was nothing to end. */
export async function unsubscribe(ctx: Context, subscriber: Subscriber, request: TargetRequest): Promise<Answer> {
  const targets = targetsOf(request, subscriber.origin.caller.user_id);
  if (request.channel === 'performance_data') await unsubscribeFromMeasurements(ctx, subscriber);
  for (const target of targets) await end(ctx, subscriber, topicOf(target));
  return { type: 'unsubscribed', data: describe(targets[0]) };
}

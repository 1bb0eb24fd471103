import type { Context } from '../context.ts';
import type { Answer } from '../messages/answer.ts';
import { dataMessage } from '../messages/encoded.ts';
import { subscribeToState } from '../metrics/subscribe-to-state.ts';
import { learnUnwanted } from '../notifications/unwanted.ts';
import type { Since } from '../streams/recovery.ts';
import type { Subscriber } from './hub.ts';
import { type Begun, begin, start } from './ledger.ts';
import { locate } from './locate.ts';
import { describe, isState, type TargetRequest, targetsOf } from './subscription.ts';

/** A wish to listen, from now on or after what was heard before. */
export type SubscribeRequest = TargetRequest & {
  since?: Since | Since[] | undefined;
  /** To be told when all that was missed is sent. */
  caught_up?: boolean | undefined;
};

/** Listen to a channel. What was missed is sent after the answer, before anything that happens later. */
export async function subscribe(ctx: Context, subscriber: Subscriber, request: SubscribeRequest): Promise<Answer> {
  const targets = targetsOf(request, subscriber.origin.caller.user_id);
  const [first] = targets;
  if (isState(first)) return subscribeToState(ctx, subscriber, first, request);
  if (first.channel === 'notifications') await learnUnwanted(ctx, subscriber);
  const projectId = await locate(ctx, subscriber.origin, first);
  const since = request.since && [request.since].flat();
  const begun: Begun[] = [];
  for (const target of targets) {
    begun.push(await begin(ctx, subscriber, { ...target, projectId, automatic: false }, since));
  }
  const [place, ...also] = begun.flatMap(({ listening, known }) => placeOf(listening, known));
  return {
    type: 'subscribed',
    data: {
      ...describe(first),
      ...place,
      ...(also.length > 0 ? { also } : {}),
      ...(since ? { recovered: begun.every(({ recovered }) => recovered) } : {}),
    },
    after: () => {
      let behind = begun.length;
      const onLive = () => {
        behind -= 1;
        if (behind === 0 && request.caught_up) subscriber.send(dataMessage('caught_up', describe(first)));
      };
      for (const { listening } of begun) start(ctx, listening, onLive);
    },
  };
}

/** The place after which a subscription is heard. */
function placeOf({ stream, from }: Begun['listening'], known: boolean): { epoch: string; seq: number }[] {
  return stream ? [{ epoch: stream.epoch, seq: known ? stream.last : from }] : [];
}

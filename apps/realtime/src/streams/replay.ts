import type { Listening } from '../subscriptions/hub.ts';
import type { Item } from './item.ts';
import type { Stream } from './stream.ts';

/** What happens to a subscription while it hears what it missed. */
export interface ReplayListener {
  /** Numbers that cannot be had any more, both included. */
  gap(lacking: { from: number; to: number }): void;
  /** Everything that its stream has told was heard: from now on it hears what happens. */
  live(): void;
  /** A new epoch has begun meanwhile; it is heard from its beginning. */
  renewed(): void;
}

/** Pause before what should be there is looked for again, in milliseconds. */
const lagPauseMs = 50;

/**
 * Let a subscription hear what happened after its beginning, in order, page by page as its subscriber takes it, until it
 * has caught up with its stream.
 * @param others further subscriptions of the same subscriber: what one of them has passed on is not sent again
 */
export async function replay(
  listening: Listening,
  stream: Stream,
  others: () => readonly Listening[],
  listener: ReplayListener,
): Promise<void> {
  const { subscriber } = listening;
  const over = () => listening.ended || subscriber.closed;
  let { epoch } = stream;
  let patientUntil = Date.now() + stream.history.lagMs;
  for (;;) {
    if (over()) return;
    if (stream.epoch !== epoch) {
      epoch = stream.epoch;
      listening.restart();
      listener.renewed();
    }
    if (listening.caughtUpTo >= stream.last) return listener.live();
    const page = await stream.history.after({ epoch, seq: listening.caughtUpTo }, stream.last);
    if (over()) return;
    if (page.epoch !== undefined && page.epoch !== epoch) await stream.check(page.epoch);
    if (stream.epoch !== epoch) continue;
    for (const item of page.items) {
      // The history may be ahead of the stream: what that has not told yet will be heard live.
      if (item.end > stream.last) break;
      if (item.end <= listening.caughtUpTo) continue;
      if (item.seq > listening.caughtUpTo + 1) {
        listener.gap({ from: listening.caughtUpTo + 1, to: item.seq - 1 });
      }
      pass(listening, item, others());
      listening.caughtUpTo = item.end;
    }
    if (page.items.length > 0) patientUntil = Date.now() + stream.history.lagMs;
    else if (Date.now() > patientUntil) {
      listener.gap({ from: listening.caughtUpTo + 1, to: stream.last });
      listening.caughtUpTo = stream.last;
    } else await new Promise((resolve) => setTimeout(resolve, lagPauseMs));
    await subscriber.drained();
  }
}

function pass(listening: Listening, item: Item, others: readonly Listening[]): void {
  if (!item.topics.includes(listening.topic)) return;
  const isHeard = others.some(
    (other) =>
      other !== listening &&
      other.stream === listening.stream &&
      other.covers(item.end) &&
      item.topics.includes(other.topic),
  );
  if (isHeard) return;
  for (const message of item.messages()) {
    if ((message.message.seq ?? 0) > listening.from) listening.subscriber.send(message);
  }
}

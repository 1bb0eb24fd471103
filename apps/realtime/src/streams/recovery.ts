import type { Position } from './item.ts';
import type { Stream } from './stream.ts';

/** After what a subscriber wants to go on: without an epoch, after a number of the present one. */
export interface Since {
  epoch?: string | undefined;
  seq: number;
}

/**
 * Where a subscriber can go on so that it misses nothing that can be had; undefined when what it missed is not all there,
 * so that it has to reload.
 * @param since places in several streams, of which one may be this one's
 */
export async function canRecover(stream: Stream | undefined, since: readonly Since[]): Promise<Position | undefined> {
  if (!stream) return undefined;
  const own = (each: Since) => each.epoch === undefined || each.epoch === stream.epoch;
  // Another process may have told it a newer epoch, or a higher number, than this one has heard of.
  if (!since.some((each) => own(each) && each.seq <= stream.last)) await stream.check(since[0]?.epoch);
  const place = since.find(own);
  if (!place || place.seq > stream.last) return undefined;
  const position = { epoch: stream.epoch, seq: place.seq };
  if (place.seq === stream.last || stream.history.tellsGaps) return position;
  const { items } = await stream.history.after(position, stream.last);
  const [first] = items;
  return first && first.seq <= place.seq + 1 ? position : undefined;
}

import { newSecret } from '../../apps/webhook-dispatcher/src/secrets/secrets.ts';
import { processorTime } from '../measures/processor-time.ts';
import type { BareOrder } from './bare.ts';
import { concurrency, type Part } from './setup.ts';

/** How fast, in deliveries per second, and for how many microseconds of processor time each: far less moved by neighbours. */
export interface Speed {
  perSecond: number;
  processor: number;
}

/** What the bare loop is to post: the bodies of deliveries, to the endpoints of a receiver. */
export function orderFor(
  url: string,
  endpoints: number,
  sample: readonly { payload: string }[],
): Omit<BareOrder, 'count'> {
  const bodies = sample.map(({ payload }) => payload);
  return { url, endpoints, bodies, secret: newSecret(), concurrency: Math.min(endpoints * concurrency, 128) };
}

/** Let the bare loop post so many. */
export function post(bare: Part, order: Omit<BareOrder, 'count'>, count: number): Promise<Speed> {
  return timed(bare, count, () => bare.ask({ ...order, count }));
}

/** How fast a process does so many. */
export async function timed({ child }: Part, count: number, run: () => Promise<unknown>): Promise<Speed> {
  const [started, processorBefore] = [performance.now(), processorTime(child.pid)];
  await run();
  const perSecond = (count * 1_000) / (performance.now() - started);
  return { perSecond, processor: (processorTime(child.pid) - processorBefore) / count };
}

/** The mean of two. */
export function mean(one: Speed, other: Speed): Speed {
  return {
    perSecond: (one.perSecond + other.perSecond) / 2,
    processor: (one.processor + other.processor) / 2,
  };
}

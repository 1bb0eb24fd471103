import { newId } from '@claude-cli/shared/ids';
import { taskCompleted } from '../../apps/webhook-dispatcher/src/testing/requests.ts';
import { mean, orderFor, post, type Speed, timed } from './bare-posts.ts';
import { assertNoMore, type Measured, type Part, startPart, untilArrived, untilSucceeded } from './setup.ts';

/** One round. */
export interface Throughput {
  /** From the first event at the broker until every result is stored; the processor time is that of the dispatcher. */
  delivered: Speed;
  /** By a loop that signs and posts the same bodies and stores nothing. */
  bare: Speed;
}

const warmUp = 2_000;

/** How fast events become deliveries that have succeeded, beside a bare loop of posts, round by round. */
export async function measureThroughput(
  measured: Measured,
  dispatcher: Part,
  endpoints: number,
  count: number,
  rounds: number,
): Promise<Throughput[]> {
  const [receiver, url] = await startPart<string>('./receiver.ts');
  const [bare] = await startPart<string>('./bare.ts');
  await using _parts = parts(receiver, bare);
  await measured.subscribe(url, endpoints);
  let total = 0;
  const eventsOf = (some: number) => {
    const project = newId();
    return Array.from({ length: some / endpoints }, () => taskCompleted(project));
  };
  const deliver = async (events: ReturnType<typeof eventsOf>) => {
    const some = events.length * endpoints;
    total += some;
    const before = await receiver.ask<number>('how many');
    await Promise.all(events.map((event) => measured.bus.publishEvent(event)));
    await untilArrived(receiver, before + some);
    await untilSucceeded(measured, total);
  };
  await deliver(eventsOf(warmUp));
  const sample = await measured.deliveries.find().limit(100).lean();
  const order = orderFor(url, endpoints, sample);
  await post(bare, order, warmUp);
  const figures: Throughput[] = [];
  for (let round = 0; round < rounds; round++) {
    const bareBefore = await post(bare, order, count);
    const events = eventsOf(count);
    const delivered = await timed(dispatcher, count, () => deliver(events));
    // Whatever else the machine does meets the bare loop before and after.
    figures.push({ delivered, bare: mean(bareBefore, await post(bare, order, count)) });
  }
  await assertNoMore(measured, total);
  return figures;
}

function parts(...all: Part[]): AsyncDisposable {
  const stack = new AsyncDisposableStack();
  for (const part of all) stack.use(part);
  return stack;
}

import { createLogger } from '@claude-cli/shared/logger';
import { expect, test } from '@jest/globals';
import { Hub, Listening } from '../subscriptions/hub.ts';
import { topicOf } from '../subscriptions/subscription.ts';
import { item, TestHistory, TestSubscriber } from '../testing/listener.ts';
import { canRecover } from './recovery.ts';
import { replay } from './replay.ts';
import { Stream } from './stream.ts';

const log = createLogger('test', 'silent');
const subscription = (id: string) => {
  return { channel: 'task_updates', field: 'project_id', id, projectId: id, automatic: false } as const;
};
const topic = (id: string) => topicOf(subscription(id));
const numbered = (numbers: number[], topics = [topic('a')]) => numbers.map((seq) => item(seq, { topics }));

/** A hub whose subscribers hear one stream. */
async function open(history: TestHistory) {
  const hub = new Hub();
  const listener = {
    tell: (told: ReturnType<typeof item>) => hub.publish(told.topics, told.messages),
    gap: () => {},
    renewed: () => {},
  };
  const { stream, ready } = Stream.open(history, listener, log);
  await ready;
  const subscriber = new TestSubscriber();
  const gaps: { from: number; to: number }[] = [];
  const listen = (id: string, from: number) => {
    const listening = new Listening(subscriber, subscription(id), stream, from);
    hub.add(listening);
    const done = replay(listening, stream, () => hub.of(subscriber), {
      live: () => hub.attach(listening),
      gap: (lacking) => gaps.push(lacking),
      renewed: () => gaps.push({ from: 0, to: 0 }),
    });
    return { listening, done };
  };
  return { hub, stream, subscriber, gaps, listen };
}

test('what was missed comes first, page by page, then what happens, each once', async () => {
  const history = new TestHistory();
  history.pageSize = 3;
  history.items = numbered([1, 2, 3, 4, 5, 6, 7, 8]);
  const { stream, subscriber, listen } = await open(history);
  // Something happens whenever it has read a page.
  subscriber.wait = async () => {
    const next = stream.last + 1;
    if (next > 10) return;
    history.items.push(...numbered([next]));
    stream.arrive(history.items.at(-1) as never);
  };
  await listen('a', 2).done;
  stream.arrive(numbered([11])[0] as never);
  expect(subscriber.numbers).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11]);
});

test('what can be read before the stream has told it is heard once', async () => {
  const history = new TestHistory();
  history.items = numbered([1, 2, 3]);
  const { stream, subscriber, listen } = await open(history);
  history.items.push(...numbered([4, 5]));
  await listen('a', 1).done;
  for (const next of numbered([4, 5])) stream.arrive(next);
  expect(subscriber.numbers).toEqual([2, 3, 4, 5]);
});

test('who goes on in the middle of an event hears the rest of it', async () => {
  const history = new TestHistory();
  history.items = [item(1, { topics: [topic('a')], count: 2 }), item(3, { topics: [topic('a')], count: 2 })];
  const { subscriber, listen } = await open(history);
  await listen('a', 1).done;
  expect(subscriber.numbers).toEqual([2, 3, 4]);
});

test('a slow subscriber is read no more for than it takes', async () => {
  const history = new TestHistory();
  history.pageSize = 2;
  history.items = numbered([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  const { subscriber, listen } = await open(history);
  const room = Promise.withResolvers<void>();
  subscriber.wait = () => room.promise;
  const { done } = listen('a', 0);
  await new Promise(setImmediate);
  expect(history.reads).toBe(1);
  expect(subscriber.numbers).toEqual([1, 2]);
  subscriber.closed = true;
  room.resolve();
  await done;
  expect(history.reads).toBe(1);
});

test('two subscriptions that hear the same messages pass each on once', async () => {
  const history = new TestHistory();
  history.pageSize = 1;
  history.items = [
    ...numbered([1], [topic('a'), topic('b')]),
    ...numbered([2], [topic('b')]),
    ...numbered([3], [topic('a')]),
    ...numbered([4], [topic('a'), topic('b')]),
  ];
  const { stream, subscriber, listen } = await open(history);
  await Promise.all([listen('a', 0).done, listen('b', 0).done]);
  expect(subscriber.numbers.toSorted()).toEqual([1, 2, 3, 4]);
  stream.arrive(item(5, { topics: [topic('a'), topic('b')] }));
  expect(subscriber.numbers.filter((seq) => seq === 5)).toHaveLength(1);
});

test('a later subscription hears what an earlier one that is live has passed on before it only where that did not hear it', async () => {
  const history = new TestHistory();
  history.items = numbered([1, 2, 3], [topic('a'), topic('b')]);
  const { subscriber, listen } = await open(history);
  await listen('a', 2).done;
  await listen('b', 0).done;
  expect(subscriber.numbers).toEqual([3, 1, 2]);
});

test('what is gone while it is being read is a gap', async () => {
  const history = new TestHistory();
  history.pageSize = 2;
  history.items = numbered([1, 2, 3, 4, 5, 6]);
  const { subscriber, gaps, listen } = await open(history);
  subscriber.wait = async () => {
    history.items = history.items.filter(({ seq }) => seq > 4);
  };
  await listen('a', 0).done;
  expect(subscriber.numbers).toEqual([1, 2, 5, 6]);
  expect(gaps).toEqual([{ from: 3, to: 4 }]);
});

test('a new epoch that begins meanwhile is heard from its beginning', async () => {
  const history = new TestHistory();
  history.pageSize = 2;
  history.items = numbered([1, 2, 3, 4]);
  const { stream, subscriber, gaps, listen } = await open(history);
  subscriber.wait = async () => {
    subscriber.wait = async () => {};
    history.epoch = 'f';
    history.items = [1, 2].map((seq) => item(seq, { epoch: 'f', topics: [topic('a')] }));
    await stream.check('f');
  };
  await listen('a', 0).done;
  expect(subscriber.heard.map(({ epoch, seq }) => `${epoch}${seq}`)).toEqual(['e1', 'e2', 'f1', 'f2']);
  expect(gaps).toHaveLength(1);
});

test('it is recovered only from a place after which all is there', async () => {
  const history = new TestHistory();
  history.items = numbered([3, 4, 5]);
  const { stream } = await open(history);
  const from = (seq: number, epoch?: string) => canRecover(stream, [{ epoch, seq }]);
  expect(await from(5, 'e')).toEqual({ epoch: 'e', seq: 5 });
  expect(await from(2, 'e')).toEqual({ epoch: 'e', seq: 2 });
  expect(await from(2)).toEqual({ epoch: 'e', seq: 2 });
  expect(await from(1, 'e')).toBeUndefined();
  expect(await from(6, 'e')).toBeUndefined();
  expect(await from(5, 'f')).toBeUndefined();
  expect(
    await canRecover(stream, [
      { epoch: 'f', seq: 1 },
      { epoch: 'e', seq: 4 },
    ]),
  ).toEqual({ epoch: 'e', seq: 4 });
  expect(await canRecover(undefined, [{ seq: 0 }])).toBeUndefined();
});

test('a number that another process has told already is looked for', async () => {
  const history = new TestHistory();
  history.items = numbered([1, 2]);
  const { stream } = await open(history);
  history.items.push(...numbered([3]));
  expect(await canRecover(stream, [{ epoch: 'e', seq: 3 }])).toEqual({ epoch: 'e', seq: 3 });
});

import { createLogger } from '@claude-cli/shared/logger';
import { until } from '@claude-cli/shared/testing/until';
import { expect, test } from '@jest/globals';
import { item, TestHistory } from '../testing/listener.ts';
import { Stream } from './stream.ts';

const log = createLogger('test', 'silent');

async function follow(history: TestHistory) {
  const told: string[] = [];
  const { stream, ready } = Stream.open(
    history,
    {
      tell: ({ epoch, seq }) => told.push(`${epoch}${seq}`),
      gap: (epoch, lacking) => told.push(`gap ${epoch} ${lacking?.from}-${lacking?.to}`),
      renewed: (epoch) => told.push(`renewed ${epoch}`),
    },
    log,
  );
  await ready;
  return { stream, told };
}

test('what follows is told at once, what is known is not told again', async () => {
  const history = new TestHistory();
  history.items = [item(1), item(2)];
  const { stream, told } = await follow(history);
  for (const seq of [2, 3, 3, 1, 4]) stream.arrive(item(seq));
  expect(told).toEqual(['e3', 'e4']);
  expect(stream.last).toBe(4);
});

test('what lacks in between is read before it goes on, and what comes meanwhile waits', async () => {
  const history = new TestHistory();
  history.pageSize = 2;
  const { stream, told } = await follow(history);
  history.items = [1, 2, 3, 4, 5, 6].map((seq) => item(seq));
  stream.arrive(item(6));
  stream.arrive(item(7));
  await until('all to be told', () => stream.last === 7);
  expect(told).toEqual([...[1, 2, 3, 4, 5, 6].map((seq) => `e${seq}`), 'e7']);
});

test('items that come in the wrong order are told in the right one', async () => {
  const history = new TestHistory();
  history.lagMs = 5_000;
  const { stream, told } = await follow(history);
  for (const seq of [3, 2, 1]) stream.arrive(item(seq));
  await until('all to be told', () => stream.last === 3);
  expect(told).toEqual(['e1', 'e2', 'e3']);
});

test('what comes before the head is known is told when it is new', async () => {
  const history = new TestHistory();
  history.items = [item(1), item(2)];
  const told: number[] = [];
  const listener = { tell: ({ seq }: { seq: number }) => told.push(seq), gap: () => {}, renewed: () => {} };
  const { stream, ready } = Stream.open(history, listener, log);
  for (const seq of [1, 2, 3]) stream.arrive(item(seq));
  await ready;
  await until('the new one to be told', () => stream.last === 3);
  expect(told).toEqual([3]);
});

test('what cannot be had is told as a gap, by its numbers', async () => {
  const history = new TestHistory();
  const { stream, told } = await follow(history);
  history.items = [item(4), item(5)];
  stream.arrive(item(8));
  await until('the last to be told', () => stream.last === 8);
  expect(told).toEqual(['gap e 1-3', 'e4', 'e5', 'gap e 6-7', 'e8']);
});

test('looking finds what nothing followed on', async () => {
  const history = new TestHistory();
  const { stream, told } = await follow(history);
  history.items = [item(1), item(2)];
  await stream.check();
  expect(told).toEqual(['e1', 'e2']);
});

test('a new epoch is told from its beginning, and late messages of the old one are not told any more', async () => {
  const history = new TestHistory();
  history.items = [item(1), item(2)];
  const { stream, told } = await follow(history);
  history.epoch = 'f';
  history.items = [1, 2].map((seq) => item(seq, { epoch: 'f' }));
  stream.arrive(item(2, { epoch: 'f' }));
  await until('the new epoch', () => stream.epoch === 'f' && stream.last === 2);
  expect(told).toEqual(['renewed f', 'f1', 'f2']);
  stream.arrive(item(3, { epoch: 'e' }));
  await until('that it is missing to be told', () => told.length === 4);
  expect(told.at(-1)).toBe('gap e undefined-undefined');
  expect(stream.last).toBe(2);
});

test('while nothing can be read it is tried again, and little is kept', async () => {
  const history = new TestHistory();
  const { stream, told } = await follow(history);
  let failures = 0;
  history.before = async () => {
    if (failures++ === 0) throw new Error('away');
  };
  history.pageSize = 1_000;
  history.items = Array.from({ length: 2_000 }, (_, index) => item(index + 1));
  for (const each of history.items.slice(1)) stream.arrive(each);
  await until('all to be told', () => stream.last === 2_000);
  expect(told).toEqual(history.items.map(({ seq }) => `e${seq}`));
});

test('a stream that has ended tells nothing', async () => {
  const history = new TestHistory();
  const { stream, told } = await follow(history);
  history.items = [item(1)];
  const checked = stream.check();
  stream.end();
  await checked;
  expect(told).toEqual([]);
});

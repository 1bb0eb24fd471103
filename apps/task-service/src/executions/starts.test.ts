import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Execution, ExecutionEntry } from './execution.ts';
import { Starts } from './starts.ts';

const told: string[] = [];
const ended = new Set<string>();
const outbox = {
  untold: ({ _id, outbox }: Pick<Execution, '_id' | 'outbox'>) => (ended.has(_id) ? [] : outbox),
  flush: async ({ _id }: Execution) => void told.push(_id),
};
const started = (id: string) => ({ _id: id, outbox: [{} as ExecutionEntry] }) as Execution;
let starts: Starts;

beforeEach(() => {
  jest.useFakeTimers();
  told.length = 0;
  ended.clear();
  // What is untold is known by the execution alone here.
  starts = new Starts(outbox as unknown as ConstructorParameters<typeof Starts>[0]);
});
afterEach(() => void jest.useRealTimers());

test('the start of one that starts alone is told a moment later', () => {
  starts.add(started('one'));
  jest.advanceTimersByTime(19);
  expect(told).toEqual([]);
  jest.advanceTimersByTime(1);
  expect(told).toEqual(['one']);
});

test('where many start, those are told that have not ended half a second later', () => {
  for (let n = 0; n < 20; n++) starts.add(started(`${n}`));
  jest.advanceTimersByTime(20);
  expect(told).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8']);
  for (let n = 9; n < 18; n++) ended.add(`${n}`);
  jest.advanceTimersByTime(479);
  expect(told).toHaveLength(9);
  jest.advanceTimersByTime(51);
  expect(told.slice(9)).toEqual(['18', '19']);
  jest.advanceTimersByTime(1_000);
  starts.add(started('later'));
  jest.advanceTimersByTime(20);
  expect(told.at(-1)).toBe('later');
});

test('what waits is told when there is no time to wait', async () => {
  starts.add(started('last'));
  await starts[Symbol.asyncDispose]();
  expect(told).toEqual(['last']);
  jest.advanceTimersByTime(1_000);
  expect(told).toHaveLength(1);
});

import { beforeEach, expect, test } from '@jest/globals';
import type { Head } from '../executions/claim-reads.ts';
import { NewlyReady } from './newly-ready.ts';

/** How many are ready, as the count of all tells it. */
let ready = 0;
let newly: NewlyReady;

beforeEach(() => {
  ready = 0;
  newly = new NewlyReady({ ready: async () => ready });
});

function queue(_id: string, fair_at: number, more: Partial<Head> = {}): Head {
  const head = { _id, fair_at, priority: 'normal', queued_at: new Date(), ...more } as Head;
  newly.add(head);
  ready++;
  return head;
}

const known = async () => (await newly.all('normal')).map(({ _id }) => _id);

test('what this process has queued is known in turn while it is all that is ready', async () => {
  queue('c', 2);
  queue('b', 1);
  queue('a', 2);
  queue('other', 0, { priority: 'high' });
  ready--;
  expect(await known()).toEqual(['b', 'a', 'c']);
  ready++;
  expect(await known()).toEqual([]);
});

test('what was taken is known no more', async () => {
  const first = queue('a', 1);
  queue('b', 2);
  newly.delete(first);
  ready--;
  expect(await known()).toEqual(['b']);
});

test('what has waited for seconds is asked for', async () => {
  queue('a', 1, { queued_at: new Date(Date.now() - 3_000) });
  expect(await known()).toEqual([]);
});

test('of many only some are remembered', async () => {
  for (let n = 0; n < 1_000; n++) queue(String(n), n);
  expect(await known()).toEqual([]);
  ready = 100;
  expect(await known()).toEqual(Array.from({ length: 100 }, (_, n) => String(900 + n)));
});

import { setTimeout } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { Overload } from './overload.ts';

function busyFor(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

async function refuses(overload: Overload, keepBusy: () => void): Promise<boolean> {
  const until = performance.now() + 20_000;
  while (performance.now() < until) {
    keepBusy();
    await setTimeout(1);
    try {
      overload.refuse();
    } catch {
      return true;
    }
  }
  return false;
}

test('an event loop that stays late refuses, and admits again once it is quick', async () => {
  using overload = new Overload({ MAX_REQUESTS_IN_FLIGHT: 10, MAX_EVENT_LOOP_DELAY_MS: 60 });
  expect(await refuses(overload, () => busyFor(200))).toBe(true);
  const until = performance.now() + 20_000;
  let admitted = false;
  while (!admitted && performance.now() < until) {
    await setTimeout(50);
    try {
      overload.refuse();
      admitted = true;
    } catch {}
  }
  expect(admitted).toBe(true);
});

import { describe, expect, test } from '@jest/globals';
import { Refill } from './refill.ts';

/** Resolves after what was asked for at once. */
const soon = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
const later = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('a refill', () => {
  test('is made once for all that asks in one turn of the event loop', async () => {
    let made = 0;
    const refill = new Refill(() => void made++);
    for (let n = 0; n < 3; n++) refill.ask(false);
    expect(made).toBe(0);
    await soon();
    expect(made).toBe(1);
    await later();
    expect(made).toBe(1);
  });

  test('that may wait is made a moment later, and with one that may not', async () => {
    let made = 0;
    const refill = new Refill(() => void made++);
    refill.ask(true);
    await later();
    expect(made).toBe(1);
    refill.ask(true);
    refill.ask(false);
    await soon();
    expect(made).toBe(2);
    await later();
    expect(made).toBe(2);
  });

  test('is not made once it is done otherwise', async () => {
    let made = 0;
    const refill = new Refill(() => void made++);
    refill.ask(true);
    refill.ask(false);
    refill.clear();
    await later();
    expect(made).toBe(0);
  });
});

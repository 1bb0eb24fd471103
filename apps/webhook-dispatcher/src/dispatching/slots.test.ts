import { describe, expect, test } from '@jest/globals';
import { Slots } from './slots.ts';

describe('slots', () => {
  test('are no more than there are, and go to those who wait in the order in which they asked', () => {
    const slots = new Slots(1);
    const order: string[] = [];
    const asking = (name: string) => {
      const again = () => {
        if (slots.take(again)) order.push(name);
      };
      return again;
    };
    for (const name of ['a', 'b', 'c']) asking(name)();
    expect(order).toEqual(['a']);
    slots.release();
    expect(order).toEqual(['a', 'b']);
    slots.release();
    slots.release();
    expect(order).toEqual(['a', 'b', 'c']);
    expect(slots.taken).toBe(0);
  });
});

import { expect, test } from '@jest/globals';
import { WeightedOrder } from './weighted-order.ts';

test('while all queues are full, a round takes six high, three normal and one low', () => {
  const order = new WeightedOrder();
  const taken = Array.from({ length: 20 }, () => {
    const [first] = order.next();
    if (first) order.took(first);
    return first;
  });
  const round = [...Array(6).fill('high'), ...Array(3).fill('normal'), 'low'];
  expect(taken).toEqual([...round, ...round]);
});

test('a share that nobody wants goes to the others', () => {
  const order = new WeightedOrder();
  for (let n = 0; n < 50; n++) {
    expect(order.next()).toContain('low');
    order.took('low');
  }
  expect(order.next()[0]).toBe('high');
});

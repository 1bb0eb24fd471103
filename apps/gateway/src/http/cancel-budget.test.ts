import { expect, test } from '@jest/globals';
import { CancelBudget } from './cancel-budget.ts';

const taken = (budget: CancelBudget, attempts: number, now: number) =>
  Array.from({ length: attempts }, () => budget.take(now)).filter(Boolean).length;

test('cancellations are bounded at once and per second, below what HTTP/2 servers put up with', () => {
  const budget = new CancelBudget(0);
  expect(taken(budget, 1_000, 0)).toBe(200);
  expect(taken(budget, 1_000, 1_000)).toBe(15);
  expect(taken(budget, 1_000, 3_000)).toBe(30);
  expect(taken(budget, 1_000, 1_000_000)).toBe(200);
});

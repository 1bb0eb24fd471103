import { expect, test } from '@jest/globals';
import { MessageRate } from './message-rate.ts';

test('a burst passes, what exceeds it is refused, who goes on is abusive, and time heals', () => {
  const rate = new MessageRate({ messagesPerSecond: 2, messageBurst: 3 });
  const start = performance.now();
  const verdicts = Array.from({ length: 7 }, () => rate.take(start));
  expect(verdicts).toEqual(['taken', 'taken', 'taken', 'refused', 'refused', 'refused', 'abusive']);
  expect(rate.take(start + 10_000)).toBe('taken');
});

import { expect, test } from '@jest/globals';
import { boundedDetails, maxDetailsBytes } from './bounded-details.ts';

test('details that fit are kept as they are', () => {
  const details = { task_id: 'id', nested: { a: [1, null] } };
  expect(boundedDetails(details)).toBe(details);
});

test('too large details keep what fits, and say that something is missing', () => {
  const large = { task_id: 'id', body: 'ü'.repeat(maxDetailsBytes / 2), project_id: 'other' };
  expect(boundedDetails(large)).toEqual({ truncated: true, task_id: 'id', project_id: 'other' });
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`key${i}`, i]));
  const kept = boundedDetails(many);
  expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(maxDetailsBytes);
  expect(kept).toMatchObject({ truncated: true, key0: 0 });
});

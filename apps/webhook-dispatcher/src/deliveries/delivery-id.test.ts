import { isId, newId } from '@claude-cli/shared/ids';
import { describe, expect, test } from '@jest/globals';
import { deliveryIdOf } from './delivery-id.ts';

describe('the id of a delivery', () => {
  test('is the same for the same event and webhook, and another one for others', () => {
    const [event, webhook] = [newId(), newId()];
    expect(deliveryIdOf(event, webhook)).toBe(deliveryIdOf(event, webhook));
    const ids = [deliveryIdOf(event, webhook), deliveryIdOf(newId(), webhook), deliveryIdOf(event, newId())];
    expect(new Set(ids).size).toBe(3);
    expect(ids.every(isId)).toBe(true);
  });

  test('sorts by the time of the event', () => {
    const event = '01985b6a-4c80-7e6f-9c0d-2b3a4c5d6e7f';
    const later = '01985b6a-4c81-7000-8000-000000000000';
    const ids = [later, event].map((id) => deliveryIdOf(id, newId()));
    expect(ids.toSorted()).toEqual(ids.toReversed());
  });
});

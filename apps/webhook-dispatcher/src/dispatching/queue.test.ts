import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Delivery } from '../deliveries/delivery.ts';
import { openTestDispatching, type TestDispatching } from '../testing/dispatching.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import { newEndpoint } from './endpoint.ts';
import { Queue } from './queue.ts';

let at: TestDispatching;
let webhook: Webhook;

beforeEach(async () => {
  at = await openTestDispatching();
  webhook = await at.addWebhook('https://hooks.example.com/', { endpoint: { ...newEndpoint, waited: true } });
});
afterEach(async () => {
  await at[Symbol.asyncDispose]();
});

const soon = () => new Date(Date.now() + 60_000);
const take = (queue: Queue): Delivery[] => Array.from({ length: queue.ready }, () => queue.next());

describe('the deliveries that a turn holds', () => {
  test('are read when something waited, those first that are due first, and tell when the next is due', async () => {
    const next_attempt_at = soon();
    const [later] = await at.addDeliveries(webhook, 1, { next_attempt_at });
    const [second] = await at.addDeliveries(webhook, 1, { next_attempt_at: new Date(Date.now() - 1_000) });
    const [first] = await at.addDeliveries(webhook, 1, { next_attempt_at: new Date(Date.now() - 2_000) });
    const queue = new Queue(at.deliveries, webhook);
    await queue.fetch(10);
    expect(take(queue).map(({ _id }) => _id)).toEqual([first?._id, second?._id]);
    for (const each of [first, second]) queue.settled(String(each?._id), null);
    expect(later).toBeDefined();
    expect(queue.isEmpty).toBe(true);
    expect(queue.dueAt()).toEqual(next_attempt_at);
    expect(queue.fetch(10)).toBeUndefined();
  });

  test('are not looked for when nothing waited', () => {
    const queue = new Queue(at.deliveries, { ...webhook, endpoint: newEndpoint });
    expect(queue.fetch(10)).toBeUndefined();
    expect(queue.isEmpty).toBe(true);
    expect(queue.dueAt()).toBeUndefined();
  });

  test('are held once, however often they are added and read', async () => {
    const some = await at.addDeliveries(webhook, 5);
    const queue = new Queue(at.deliveries, webhook);
    queue.add(some.slice(0, 3), 10);
    queue.add(some, 10);
    await queue.fetch(10);
    expect(take(queue)).toHaveLength(5);
    expect(queue.busy).toBe(5);
  });

  test('are no more than there is room for: the rest is read later', async () => {
    const some = await at.addDeliveries(webhook, 5);
    const queue = new Queue(at.deliveries, { ...webhook, endpoint: newEndpoint });
    queue.add(some, 2);
    expect(queue.size).toBe(2);
    await queue.fetch(2);
    expect(queue.size).toBe(4);
    await queue.fetch(2);
    expect(queue.size).toBe(5);
    expect(queue.fetch(2)).toBeUndefined();
  });

  test('are not sent again by what was read before their results were stored', async () => {
    const some = await at.addDeliveries(webhook, 2);
    const queue = new Queue(at.deliveries, webhook);
    queue.add(some.slice(0, 1), 10);
    const [sent] = take(queue);
    const reading = queue.fetch(10);
    // The database may have read it as it was.
    queue.settled(String(sent?._id), null);
    await reading;
    expect(take(queue).map(({ _id }) => _id)).toEqual([some[1]?._id]);
  });

  test('are read again when they were sent anew by hand while they were on their way', async () => {
    const [delivery] = await at.addDeliveries(webhook, 1);
    const queue = new Queue(at.deliveries, { ...webhook, endpoint: newEndpoint });
    if (delivery) queue.add([delivery], 10);
    take(queue);
    if (delivery) queue.add([delivery], 10);
    queue.settled(String(delivery?._id), soon());
    await queue.fetch(10);
    expect(take(queue)).toHaveLength(1);
  });

  test('may have more when others say so, and the endpoint is given up by what was known when they were read', async () => {
    const queue = new Queue(at.deliveries, { ...webhook, endpoint: newEndpoint });
    await at.addDeliveries(webhook, 1);
    queue.heard(1);
    expect(queue.newsSeen).toBe(0);
    const reading = queue.fetch(10);
    queue.heard(2);
    await reading;
    expect(queue.newsSeen).toBe(1);
    expect(queue.ready).toBe(1);
    await queue.fetch(10);
    expect(queue.newsSeen).toBe(2);
  });
});

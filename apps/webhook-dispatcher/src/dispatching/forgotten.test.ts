import { createLogger } from '@claude-cli/shared/logger';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openTestDispatching, type TestDispatching } from '../testing/dispatching.ts';
import { newEndpoint } from './endpoint.ts';
import { Forgotten } from './forgotten.ts';

let at: TestDispatching;
let forgotten: Forgotten;

beforeEach(async () => {
  at = await openTestDispatching();
  forgotten = new Forgotten({ ...at, log: createLogger('test', 'silent') });
});
afterEach(async () => {
  await at[Symbol.asyncDispose]();
});

const url = 'https://hooks.example.com/';

describe('what was forgotten', () => {
  test('is deliveries that nobody was told of: they can be claimed then', async () => {
    const webhook = await at.addWebhook(url);
    await at.addDeliveries(webhook, 5);
    expect((await at.webhook(webhook._id)).endpoint.claimable_at).toBeUndefined();
    await forgotten.look();
    expect((await at.webhook(webhook._id)).endpoint.claimable_at).toBeInstanceOf(Date);
  });

  test('is not what is known: a time to come and a lease stay as they are', async () => {
    const claimable_at = new Date(Date.now() + 60_000);
    const endpoint = { ...newEndpoint, claimable_at };
    const later = await at.addWebhook(url, { endpoint });
    const served = await at.addWebhook(url, { endpoint: { ...endpoint, holder: 'somebody' } });
    for (const webhook of [later, served]) await at.addDeliveries(webhook, 1);
    await forgotten.look();
    expect((await at.webhook(later._id)).endpoint).toEqual(endpoint);
    expect((await at.webhook(served._id)).endpoint).toEqual({ ...endpoint, holder: 'somebody' });
  });

  test.each([
    ['paused', { status: 'paused' as const }],
    ['disabled', { status: 'disabled' as const }],
    ['deleted', { deleted_at: new Date() }],
  ])('is what waits for a webhook that is %s: it is cancelled', async (cancel_reason, given) => {
    const webhook = await at.addWebhook(url, given);
    await at.addDeliveries(webhook, 3, { status: 'pending', cancel_reason: null });
    await forgotten.look();
    expect(await at.deliveries.countDocuments({ status: 'cancelled', cancel_reason: cancel_reason as 'paused' })).toBe(
      3,
    );
  });

  test('is found in the end, however many webhooks have deliveries that wait', async () => {
    const webhooks = await Promise.all(Array.from({ length: 150 }, () => at.addWebhook(url)));
    for (const webhook of webhooks) await at.addDeliveries(webhook, 2);
    const claimable = () => at.webhooks.countDocuments({ 'endpoint.claimable_at': { $exists: true } } as object);
    await forgotten.look();
    expect(await claimable()).toBe(100);
    await forgotten.look();
    expect(await claimable()).toBe(150);
  });
});

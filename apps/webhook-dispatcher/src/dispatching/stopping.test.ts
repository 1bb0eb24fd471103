import { until } from '@claude-cli/shared/testing/until';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openTestDispatching, type TestDispatching } from '../testing/dispatching.ts';
import { hang, type Receiver, status } from '../testing/receiver.ts';

let at: TestDispatching;
let receiver: Receiver;

beforeEach(async () => {
  at = await openTestDispatching();
  ({ receiver } = at);
});
afterEach(async () => at[Symbol.asyncDispose]());

describe('a dispatcher that stops', () => {
  test('lets what is being sent end, and leaves the rest to others at once', async () => {
    const webhook = await at.addWebhook(receiver.url);
    const answers: (() => void)[] = [];
    receiver.answer = (response) => void answers.push(() => response.writeHead(204).end());
    const dispatcher = at.dispatcher();
    await dispatcher.handOver(await at.addDeliveries(webhook, 10));
    await until('two are being sent', () => answers.length === 2);
    const stopped = dispatcher[Symbol.asyncDispose]();
    for (const answer of answers) answer();
    await stopped;
    expect(await at.count('succeeded')).toBe(2);
    const { endpoint } = await at.webhook(webhook._id);
    expect(endpoint.holder).toBeNull();
    expect(endpoint.claimable_at?.getTime()).toBeLessThanOrEqual(Date.now());
    receiver.answer = status(204);
    at.dispatcher({ limits: { pollMs: 10 } });
    await until('all have arrived', async () => (await at.count('succeeded')) === 10);
    expect(receiver.received).toHaveLength(10);
  });

  test('cuts off what does not end in time, and leaves it as it was', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = hang;
    const dispatcher = at.dispatcher({ graceMs: 50 });
    await dispatcher.handOver(await at.addDeliveries(webhook, 3));
    await until('two hang', () => receiver.received.length === 2);
    await dispatcher[Symbol.asyncDispose]();
    expect(await at.deliveries.countDocuments({ status: 'pending', attempt: 0 })).toBe(3);
    expect((await at.webhook(webhook._id)).endpoint).toMatchObject({ holder: null, failures: 0 });
  });

  test('takes nothing more, but leaves word', async () => {
    const webhook = await at.addWebhook(receiver.url);
    const dispatcher = at.dispatcher();
    await dispatcher[Symbol.asyncDispose]();
    await dispatcher.handOver(await at.addDeliveries(webhook, 1));
    const { endpoint } = await at.webhook(webhook._id);
    expect(endpoint).toMatchObject({ holder: null, news: 1 });
    expect(endpoint.claimable_at).toBeInstanceOf(Date);
    expect(receiver.received).toEqual([]);
  });
});

import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { DeliveryStatus } from '../deliveries/delivery.ts';
import { openTestDispatching, type TestDispatching } from '../testing/dispatching.ts';
import { type Answer, hang, type Receiver, startReceiver, status } from '../testing/receiver.ts';
import type { Webhook } from '../webhooks/webhook.ts';

let at: TestDispatching;
let receiver: Receiver;

beforeEach(async () => {
  at = await openTestDispatching();
  ({ receiver } = at);
});
afterEach(async () => at[Symbol.asyncDispose]());

/** A poll that comes after no test. */
const never = 600_000;
const idsOf = ({ received }: Receiver) => received.map(({ headers }) => String(headers['x-delivery-id']));
const untilAll = (state: DeliveryStatus, wanted: number, withinMs?: number) =>
  until(`${wanted} ${state}`, async () => (await at.count(state)) === wanted, withinMs);
const untilFree = (id: string) =>
  until('the endpoint is free', async () => {
    const { endpoint } = await at.webhook(id);
    return endpoint.holder === null && endpoint;
  });

describe('deliveries', () => {
  test('that are handed over are sent without being looked for, once each, and the endpoint is given up', async () => {
    const webhook = await at.addWebhook(receiver.url);
    const deliveries = await at.addDeliveries(webhook, 30);
    await at.dispatcher({ limits: { pollMs: never } }).handOver(deliveries);
    await untilAll('succeeded', 30);
    expect(idsOf(receiver).toSorted()).toEqual(deliveries.map(({ _id }) => _id).toSorted());
    expect((await untilFree(webhook._id)).claimable_at).toBeUndefined();
    const [first] = deliveries;
    const stored = await at.deliveries.findById(first?._id).lean();
    expect(stored).toMatchObject({ status: 'succeeded', attempt: 1, next_attempt_at: null });
    expect(stored?.attempts).toMatchObject([{ status_code: 204, error: null, response: '' }]);
    expect(stored?.finished_at).toBeInstanceOf(Date);
  });

  test('that a process stored before it died are found, by whichever dispatcher looks first, once each', async () => {
    const webhooks = await Promise.all(Array.from({ length: 20 }, () => at.addWebhook(receiver.url)));
    for (const webhook of webhooks) await at.addDeliveries(webhook, 20);
    const due = { $set: { 'endpoint.claimable_at': new Date() } };
    await at.webhooks.updateMany({}, due as object);
    for (let n = 0; n < 3; n++) at.dispatcher({ limits: { pollMs: 10, claims: 2 } });
    await untilAll('succeeded', 400);
    expect(new Set(idsOf(receiver)).size).toBe(400);
    expect(receiver.received).toHaveLength(400);
  });

  test('that come while another dispatcher serves the endpoint are sent by that one', async () => {
    const webhook = await at.addWebhook(receiver.url);
    let release = () => {};
    receiver.answer = (response) => {
      release = () => void response.writeHead(204).end();
    };
    const [first, second] = [at.dispatcher({ limits: { pollMs: 20 } }), at.dispatcher({ limits: { pollMs: never } })];
    await first.handOver(await at.addDeliveries(webhook, 1));
    await until('the first is being sent', () => receiver.received.length === 1);
    await second.handOver(await at.addDeliveries(webhook, 1));
    expect(await at.webhook(webhook._id)).toMatchObject({ endpoint: { news: 1 } });
    receiver.answer = status(204);
    await until('the second was sent', () => receiver.received.length === 2);
    release();
    await untilAll('succeeded', 2);
    expect((await untilFree(webhook._id)).claimable_at).toBeUndefined();
  });

  test('are tried again after the pauses, with the same id and body, and then have failed', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = status(500, {}, 'no');
    const limits = { pollMs: 10, retryDelaysMs: [20, 30, 40], failuresToRest: 100 };
    await at.dispatcher({ limits }).handOver(await at.addDeliveries(webhook, 1));
    await untilAll('failed', 1);
    expect(new Set(idsOf(receiver)).size).toBe(1);
    expect(new Set(receiver.received.map(({ body }) => body)).size).toBe(1);
    const [delivery] = await at.deliveries.find().lean();
    expect(delivery).toMatchObject({ attempt: 4, next_attempt_at: null });
    expect(delivery?.attempts).toHaveLength(4);
    expect(delivery?.attempts[3]).toMatchObject({ status_code: 500, error: 'answered 500', response: 'no' });
    expect((await at.webhook(webhook._id)).failing_since).toBeInstanceOf(Date);
  });

  test('wait in the database between attempts, while nobody serves the endpoint', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = status(500);
    await at.dispatcher().handOver(await at.addDeliveries(webhook, 1));
    const { claimable_at } = await untilFree(webhook._id);
    const [delivery] = await at.deliveries.find().lean();
    expect(delivery).toMatchObject({ status: 'pending', attempt: 1 });
    expect(claimable_at).toEqual(delivery?.next_attempt_at);
    const pause = (claimable_at?.getTime() ?? 0) - (delivery?.attempts[0]?.at.getTime() ?? 0);
    expect(pause).toBeGreaterThanOrEqual(4_000);
  });

  test('to a webhook that is paused meanwhile are not sent', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = hang;
    const limits = { pollMs: 10, requestMs: 500 };
    await at.dispatcher({ limits }).handOver(await at.addDeliveries(webhook, 50));
    await until('some are being sent', () => receiver.received.length === 2);
    await at.webhooks.updateOne({ _id: webhook._id }, { $set: { status: 'paused' }, $inc: { version: 1 } });
    const waiting = receiver.received.length;
    receiver.answer = status(204);
    await until(
      'the endpoint is given up',
      async () => (await at.webhook(webhook._id)).endpoint.holder === null,
      20_000,
    );
    expect(receiver.received).toHaveLength(waiting);
    expect((await at.webhook(webhook._id)).endpoint.claimable_at).toBeUndefined();
  });

  test('lead to where the webhook says now', async () => {
    await using other = await startReceiver();
    const webhook = await at.addWebhook(receiver.url);
    let release = () => {};
    receiver.answer = (response) => {
      release = () => void response.writeHead(204).end();
    };
    const dispatcher = at.dispatcher({ concurrency: 1, limits: { pollMs: 10, leaseMs: 900 } });
    await dispatcher.handOver(await at.addDeliveries(webhook, 2));
    await until('the first is being sent', () => receiver.received.length === 1);
    await at.webhooks.updateOne({ _id: webhook._id }, { $set: { url: other.url }, $inc: { version: 1 } });
    await dispatcher.handOver(await at.addDeliveries(webhook, 1));
    // The lease is renewed before what became of the webhook is read, so after the second renewal it is known.
    for (let n = 0; n < 2; n++) {
      const { claimable_at } = (await at.webhook(webhook._id)).endpoint;
      const isRenewed = ({ endpoint }: Webhook) => endpoint.claimable_at?.getTime() !== claimable_at?.getTime();
      await until('the lease is renewed', async () => isRenewed(await at.webhook(webhook._id)));
    }
    release();
    await untilAll('succeeded', 3);
    expect([receiver.received.length, other.received.length]).toEqual([1, 2]);
  });
});

describe('an endpoint', () => {
  test('gets no more requests at once than it may, nor more than one while it fails', async () => {
    const webhook = await at.addWebhook(receiver.url);
    let [open, most] = [0, 0];
    const slowly: (code: number) => Answer = (code) => (response) => {
      most = Math.max(most, ++open);
      setTimeout(() => {
        open--;
        response.writeHead(code).end();
      }, 5);
    };
    receiver.answer = slowly(204);
    const limits = { pollMs: 10, failuresToRest: 1_000 };
    const dispatcher = at.dispatcher({ concurrency: 4, limits });
    await dispatcher.handOver(await at.addDeliveries(webhook, 60));
    await untilAll('succeeded', 60);
    expect(most).toBe(4);
    receiver.answer = status(500);
    await dispatcher.handOver(await at.addDeliveries(webhook, 1));
    await until('it fails', async () => (await at.webhook(webhook._id)).endpoint.failures > 0);
    most = 0;
    receiver.answer = slowly(500);
    await dispatcher.handOver(await at.addDeliveries(webhook, 20));
    await until('all were tried', () => receiver.received.length >= 81);
    expect(most).toBe(1);
  });

  test('that is healthy gets its deliveries while twenty others hang', async () => {
    await using hanging = await startReceiver(hang);
    const dead = await Promise.all(Array.from({ length: 20 }, () => at.addWebhook(hanging.url)));
    const healthy = await at.addWebhook(receiver.url);
    const dispatcher = at.dispatcher({ limits: { requests: 50 } });
    for (const webhook of dead) await dispatcher.handOver(await at.addDeliveries(webhook, 20));
    await until('the others hang', () => hanging.received.length === 40);
    for (let n = 0; n < 10; n++) await dispatcher.handOver(await at.addDeliveries(healthy, 20));
    await untilAll('succeeded', 200, 5_000);
    expect(hanging.received).toHaveLength(40);
    expect(receiver.received).toHaveLength(200);
  });

  test('rests when several attempts failed, is tried by one, and goes on when that succeeds', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = status(503);
    const limits = { pollMs: 10, firstRestMs: 300, retryDelaysMs: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], failuresToRest: 5 };
    await at.dispatcher({ limits, concurrency: 1 }).handOver(await at.addDeliveries(webhook, 20));
    const { endpoint } = await until('it rests', async () => {
      const found = await at.webhook(webhook._id);
      return found.endpoint.rests_until !== null && found.endpoint.holder === null && found;
    });
    expect(receiver.received).toHaveLength(5);
    expect(endpoint.claimable_at).toEqual(endpoint.rests_until);
    const rested = endpoint.rests_until?.getTime() ?? 0;
    await until('it is tried', () => receiver.received.length > 5);
    expect(Date.now()).toBeGreaterThanOrEqual(rested);
    await until(
      'it rests again',
      async () => ((await at.webhook(webhook._id)).endpoint.rests_until?.getTime() ?? 0) > rested,
    );
    expect(receiver.received).toHaveLength(6);
    receiver.answer = status(204);
    await untilAll('succeeded', 20);
    expect(await at.webhook(webhook._id)).toMatchObject({
      failing_since: null,
      endpoint: { failures: 0, rests_until: null },
    });
  });

  test('that says it has too much to do is left alone for as long as it says', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = status(429, { 'retry-after': '1800' });
    await at.dispatcher({ limits: { pollMs: 10 }, concurrency: 1 }).handOver(await at.addDeliveries(webhook, 20));
    const { rests_until } = await untilFree(webhook._id);
    expect(receiver.received).toHaveLength(1);
    expect((rests_until?.getTime() ?? 0) - Date.now()).toBeGreaterThan(1_700_000);
    expect(await at.deliveries.countDocuments({ attempt: 0 })).toBe(19);
  });

  test('that a person says is in order rests no longer', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = status(429, { 'retry-after': '1800' });
    const dispatcher = at.dispatcher({ limits: { pollMs: 10 }, concurrency: 1 });
    await dispatcher.handOver(await at.addDeliveries(webhook, 2));
    await untilFree(webhook._id);
    receiver.answer = status(204);
    await dispatcher.forgive(webhook._id);
    await untilAll('succeeded', 1);
    // The one that was answered waits as it was told to.
    expect((await untilFree(webhook._id)).failures).toBe(0);
    expect(await at.count('pending')).toBe(1);
  });

  test('that is gone is disabled, told so, and sent nothing more', async () => {
    const webhook = await at.addWebhook(receiver.url);
    receiver.answer = status(410);
    await at.dispatcher({ limits: { pollMs: 10 }, concurrency: 1 }).handOver(await at.addDeliveries(webhook, 10));
    await untilAll('cancelled', 9);
    expect(await at.webhook(webhook._id)).toMatchObject({ status: 'disabled', disabled_reason: 'gone' });
    await until('it is told', () => at.told.length > 0);
    const facts = { webhook_id: webhook._id, owner_id: webhook.owner_id, url: receiver.url, reason: 'gone' };
    expect(at.told).toMatchObject([{ type: 'webhook.disabled', data: facts }]);
    expect(receiver.received).toHaveLength(1);
    expect(await at.count('failed')).toBe(1);
    expect((await untilFree(webhook._id)).claimable_at).toBeUndefined();
  });

  test('that has been failing for days is disabled', async () => {
    const failing_since = new Date(Date.now() - 5 * 24 * 3_600_000);
    const webhook = await at.addWebhook(receiver.url, { failing_since });
    receiver.answer = status(404);
    const limits = { pollMs: 10, failuresToRest: 100, disableAfterFailures: 3 };
    await at.dispatcher({ limits }).handOver(await at.addDeliveries(webhook, 10));
    await until('it is disabled', async () => (await at.webhook(webhook._id)).status === 'disabled');
    expect(await at.webhook(webhook._id)).toMatchObject({ disabled_reason: 'failing' });
    await until('it is told', () => at.told.length > 0);
    expect(at.told).toMatchObject([{ type: 'webhook.disabled', data: { reason: 'failing' } }]);
  });
});

describe('looking for deliveries', () => {
  test('costs a range of an index, however many wait', async () => {
    const webhook = await at.addWebhook(receiver.url);
    await at.addDeliveries(webhook, 100);
    const { webhooks, deliveries } = at;
    const due = { status: 'active' as const, deleted_at: null, 'endpoint.claimable_at': { $lte: new Date() } };
    const next = { webhook_id: webhook._id, status: 'pending' as const, _id: { $nin: ['x'] } };
    const forgotten = { status: 'pending' as const, webhook_id: { $gt: '' } };
    const plans = [
      await planOf(
        webhooks
          .find(due as object)
          .sort({ 'endpoint.claimable_at': 1 })
          .limit(10),
      ),
      await planOf(deliveries.find(next).sort({ next_attempt_at: 1 }).limit(10)),
      await planOf(deliveries.find(forgotten).sort({ webhook_id: 1, next_attempt_at: 1 }).limit(1)),
    ];
    for (const plan of plans) {
      expect(plan).toContain('IXSCAN');
      expect(sortsByItself(plan)).toBe(false);
    }
  });
});

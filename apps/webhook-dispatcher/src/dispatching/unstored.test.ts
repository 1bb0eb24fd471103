import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Delivery, newDelivery } from '../deliveries/delivery.ts';
import { NewDeliveries } from '../deliveries/new-deliveries.ts';
import { exampleOf } from '../events/payload.ts';
import { openTestDispatching, type TestDispatching } from '../testing/dispatching.ts';
import { hang, type Receiver, startReceiver, status } from '../testing/receiver.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import type { Dispatcher } from './dispatcher.ts';

let at: TestDispatching;
let receiver: Receiver;
let webhook: Webhook;

beforeEach(async () => {
  at = await openTestDispatching();
  ({ receiver } = at);
  webhook = await at.addWebhook(receiver.url);
});
afterEach(async () => at[Symbol.asyncDispose]());

const made = (count: number, to = webhook): Delivery[] => {
  const now = new Date();
  const told = exampleOf('task.completed', now);
  return Array.from({ length: count }, () =>
    newDelivery({ webhook: to, kind: 'event', event_id: newId(), project_id: null, told }, now, 30),
  );
};
const store = (dispatcher: Dispatcher, some: readonly Delivery[]) =>
  new NewDeliveries(at.deliveries, dispatcher, (all) => dispatcher.handOver(all)).store(some);
const stored = () => at.deliveries.find().lean<Delivery[]>();
const untilAllSucceeded = (wanted: number) =>
  until(`${wanted} succeeded`, async () => (await at.count('succeeded')) === wanted);

describe('deliveries that are sent before they are stored', () => {
  test('are stored with their success, each sent once', async () => {
    await store(at.dispatcher({ limits: { unstoredMs: 20_000 } }), made(150));
    for (const delivery of await stored()) {
      expect(delivery).toMatchObject({ status: 'succeeded', attempt: 1, next_attempt_at: null });
      expect(delivery.attempts).toMatchObject([{ status_code: 204, error: null }]);
      expect(delivery.duration_ms).toBe(delivery.attempts[0]?.duration_ms);
      expect(delivery.finished_at).toBeInstanceOf(Date);
    }
    expect(receiver.received).toHaveLength(150);
    expect(await at.deliveries.countDocuments()).toBe(150);
  });

  test('are stored before the receiver answers when that takes long, and end like any other', async () => {
    const answers: (() => void)[] = [];
    receiver.answer = (response) => void answers.push(() => response.writeHead(204).end());
    await store(at.dispatcher({ limits: { unstoredMs: 20 } }), made(5));
    expect((await stored()).map((delivery) => delivery.status)).toEqual(Array(5).fill('pending'));
    receiver.answer = status(204);
    for (const answer of answers) answer();
    await untilAllSucceeded(5);
    expect(receiver.received).toHaveLength(5);
  });

  test('wait for their turn where there are many and the receiver answers', async () => {
    receiver.answer = (response) => void setTimeout(() => response.writeHead(204).end(), 30);
    await store(at.dispatcher({ limits: { unstoredMs: 400, unstoredMostMs: 20_000 } }), made(200));
    const all = await stored();
    expect(all.map(({ status }) => status)).toEqual(Array(200).fill('succeeded'));
    const times = all.map(({ finished_at }) => finished_at?.getTime() ?? 0);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(400);
  });

  test('are stored as they are answered, while an endpoint hangs that was offered some with them', async () => {
    const answers: (() => void)[] = [];
    await using silent = await startReceiver((response) => void answers.push(() => response.writeHead(204).end()));
    const dispatcher = at.dispatcher({ limits: { unstoredMs: 600_000 } });
    const hanging = await at.addWebhook(silent.url);
    const storing = store(dispatcher, [...made(50), ...made(50, hanging), ...made(500)]);
    await untilAllSucceeded(550);
    expect(await at.deliveries.countDocuments()).toBe(550);
    silent.answer = status(204);
    for (const answer of answers) answer();
    await storing;
    expect(await at.count('succeeded')).toBe(600);
  });

  test('are tried again when they fail', async () => {
    receiver.answer = status(500);
    await store(at.dispatcher({ limits: { retryDelaysMs: [10], pollMs: 10 } }), made(1));
    await until('it was tried', async () => (await stored())[0]?.attempt === 1 || receiver.received.length > 1);
    receiver.answer = status(204);
    await until('it has ended', async () => (await stored())[0]?.finished_at !== null);
    expect(receiver.received).toHaveLength(2);
    expect((await stored())[0]?.attempts.map(({ status_code }) => status_code)[0]).toBe(500);
  });

  test('are not sent again when they are stored already, and once when they come twice at once', async () => {
    const dispatcher = at.dispatcher();
    const some = made(3);
    await store(dispatcher, [...some, ...some]);
    await store(dispatcher, some);
    expect(receiver.received).toHaveLength(3);
    expect(await at.count('succeeded')).toBe(3);
  });

  test('are left to others as waiting when the process stops', async () => {
    receiver.answer = hang;
    const dispatcher = at.dispatcher({ graceMs: 50, limits: { unstoredMs: 1_000 } });
    const storing = store(dispatcher, made(3));
    await until('two hang', () => receiver.received.length === 2);
    await dispatcher[Symbol.asyncDispose]();
    await storing;
    expect((await stored()).map((delivery) => [delivery.status, delivery.attempt])).toEqual(
      Array(3).fill(['pending', 0]),
    );
    receiver.answer = status(204);
    at.dispatcher({ limits: { pollMs: 10 } });
    await untilAllSucceeded(3);
  });
});

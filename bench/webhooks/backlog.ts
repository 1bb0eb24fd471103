import { newId } from '@claude-cli/shared/ids';
import { type Delivery, newDelivery } from '../../apps/webhook-dispatcher/src/deliveries/delivery.ts';
import { EndpointStore } from '../../apps/webhook-dispatcher/src/dispatching/endpoint-store.ts';
import { Queue } from '../../apps/webhook-dispatcher/src/dispatching/queue.ts';
import { exampleOf } from '../../apps/webhook-dispatcher/src/events/payload.ts';
import type { Webhook } from '../../apps/webhook-dispatcher/src/webhooks/webhook.ts';
import { mean, orderFor, post } from './bare-posts.ts';
import { at, type Measured, startDispatcher, startPart, untilArrived, untilSucceeded } from './setup.ts';

const endpoints = 50;
const claims = 200;

/** What a claim costs, in milliseconds: finding an endpoint, taking it and reading what it is to be sent. */
export interface ClaimCost {
  waiting: number;
  p50: number;
  p99: number;
}

/** What working a backlog off costs. */
export interface Drain {
  perSecond: number;
  /** Posts per second of a loop that signs and posts the same bodies and stores nothing. */
  bare: number;
  /** Megabytes in use by the dispatcher: when nothing is to be done, and when a quarter, half and three quarters are. */
  memory: number[];
}

/** Claims with a short and with a long backlog, and what it takes to work the long one off. */
export async function measureBacklog(
  measured: Measured,
  length: number,
): Promise<{ claims: ClaimCost[]; drain: Drain }> {
  const [receiver, url] = await startPart<string>('./receiver.ts');
  await using _receiver = receiver;
  const [bare] = await startPart<string>('./bare.ts');
  await using _bare = bare;
  const costs: ClaimCost[] = [];
  let webhooks: Webhook[] = [];
  for (const waiting of [1_000, length]) {
    webhooks = await measured.subscribe(url, endpoints);
    await fill(measured, webhooks, waiting);
    costs.push({ waiting, ...(await measureClaims(measured)) });
  }
  const claimable = (at: Date) => measured.webhooks.updateMany({}, { $set: { 'endpoint.claimable_at': at } } as object);
  // The bare loop comes first.
  await claimable(new Date(Date.now() + 3_600_000));
  await using dispatcher = await startDispatcher(measured);
  const memory = [await dispatcher.ask<number>('memory')];
  const sample = await measured.deliveries.find().limit(100).lean();
  const order = orderFor(url, endpoints, sample);
  const posts = Math.min(length, 20_000);
  // The compilers of V8 need some thousands.
  await post(bare, order, 5_000);
  const bareBefore = await post(bare, order, posts);
  const before = await receiver.ask<number>('how many');
  const started = performance.now();
  await claimable(new Date());
  for (const share of [0.25, 0.5, 0.75]) {
    await untilArrived(receiver, before + length * share);
    memory.push(await dispatcher.ask<number>('memory'));
  }
  await untilArrived(receiver, before + length);
  await untilSucceeded(measured, length);
  const perSecond = (length * 1_000) / (performance.now() - started);
  const bareAfter = await post(bare, order, posts);
  return { claims: costs, drain: { perSecond, bare: mean(bareBefore, bareAfter).perSecond, memory } };
}

async function fill({ deliveries }: Measured, webhooks: Webhook[], count: number): Promise<void> {
  const now = new Date();
  const told = exampleOf('task.completed', now);
  for (let made = 0; made < count; made += 1_000) {
    const some = Array.from({ length: 1_000 }, (_, n): Delivery => {
      const webhook = webhooks[n % webhooks.length] as Webhook;
      return newDelivery({ webhook, kind: 'event', event_id: newId(), project_id: null, told }, now, 30);
    });
    await deliveries.collection.insertMany(some as never);
  }
}

/** As a turn does it, up to the deliveries that it sends first. */
async function measureClaims({ webhooks, deliveries }: Measured): Promise<{ p50: number; p99: number }> {
  const store = new EndpointStore(webhooks);
  const taken: number[] = [];
  for (let n = 0; n < claims; n++) {
    await webhooks.updateMany({}, { $set: { 'endpoint.claimable_at': new Date(Date.now() - 1) } } as object);
    const started = performance.now();
    const [id = ''] = await store.due(new Date(), 1);
    const token = newId();
    const [webhook] = await store.take([id], token, new Date(), new Date(Date.now() + 60_000));
    if (!webhook) throw new Error('a claim was refused');
    const queue = new Queue(deliveries, webhook);
    await queue.fetch(40);
    taken.push(performance.now() - started);
    if (queue.ready === 0) throw new Error('a claim found nothing');
    await store.release({ id, token, news: queue.newsSeen, claimableAt: new Date() });
  }
  return { p50: at(taken, 0.5), p99: at(taken, 0.99) };
}

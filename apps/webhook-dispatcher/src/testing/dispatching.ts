import type { AnyEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo } from '@claude-cli/shared/mongo';
import { Outbox } from '@claude-cli/shared/outbox';
import { sealUnder } from '@claude-cli/shared/seal';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { database } from '../database.ts';
import {
  type Delivery,
  type DeliveryModel,
  type DeliveryStatus,
  deliveryModel,
  newDelivery,
} from '../deliveries/delivery.ts';
import { Dispatcher } from '../dispatching/dispatcher.ts';
import { exampleOf } from '../events/payload.ts';
import { addressRule } from '../sending/addresses.ts';
import { guardedConnector } from '../sending/connect.ts';
import { defaultLimits, type Limits } from '../sending/limits.ts';
import { Sender } from '../sending/sender.ts';
import { disableWebhook } from '../webhooks/disable-webhook.ts';
import { type Webhook, type WebhookModel, webhookModel } from '../webhooks/webhook.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { storedWebhook } from './stored-webhook.ts';

/** How one dispatcher differs from the usual. */
export interface DispatcherSettings {
  limits?: Partial<Limits>;
  concurrency?: number;
  rate?: number;
  graceMs?: number;
}

/** A store of webhooks and deliveries, dispatchers that work on it, and a receiver for what they send. */
export interface TestDispatching extends AsyncDisposable {
  webhooks: WebhookModel;
  deliveries: DeliveryModel;
  receiver: Receiver;
  /** Events that the dispatchers told. */
  told: AnyEvent[];
  /** Another dispatcher, that ends with this at the latest. */
  dispatcher(settings?: DispatcherSettings): Dispatcher;
  /** A webhook that leads to a URL. */
  addWebhook(url: string, given?: Partial<Webhook>): Promise<Webhook>;
  /** Deliveries that are stored, as they are before they are handed over. */
  addDeliveries(webhook: Webhook, count: number, given?: Partial<Delivery>): Promise<Delivery[]>;
  /** How many deliveries are in a state. */
  count(status: DeliveryStatus): Promise<number>;
  /** The webhook as it is stored. */
  webhook(id: string): Promise<Webhook>;
}

/** Open a store for one test. */
export async function openTestDispatching(): Promise<TestDispatching> {
  await using stack = new AsyncDisposableStack();
  const { env } = stack.use(testEnvironment());
  const log = createLogger('webhook-dispatcher', env.LOG_LEVEL ?? 'silent');
  await migrated(env, database);
  const { connection } = stack.use(await connectMongo(String(env.MONGODB_URI), 'webhooks', log));
  const webhooks = webhookModel(connection);
  const deliveries = deliveryModel(connection);
  const told: AnyEvent[] = [];
  const tell = async (event: AnyEvent) => void told.push(event);
  const webhookOutbox = stack.use(new Outbox<AnyEvent>(webhooks.collection, tell, log));
  const seal = sealUnder([String(env.WEBHOOK_ENCRYPTION_KEY)], 'webhook secrets');
  const urlRules = { allows: addressRule(true), ports: [[1, 65535]] as const };
  const receiver = await startReceiver();
  const running = stack.move();
  return {
    webhooks,
    deliveries,
    receiver,
    told,
    dispatcher: ({ limits: given, concurrency = 10, rate = 100_000, graceMs = 5_000 } = {}) => {
      const limits = { ...defaultLimits, ...given };
      const resolve = () => Promise.reject(new Error('tests have no names'));
      const connect = guardedConnector({ resolve, allows: urlRules.allows, timeoutMs: limits.connectMs });
      const sender = running.use(new Sender(connect, urlRules, limits));
      const disable: (...args: [string, 'gone' | 'failing']) => Promise<void> = (id, reason) =>
        disableWebhook({ webhooks, webhookOutbox, deliveries, log }, id, reason);
      const options = { webhooks, deliveries, sender, seal, limits, concurrency, rate, graceMs, log, disable };
      const dispatcher = new Dispatcher(options);
      running.use(dispatcher.start());
      return dispatcher;
    },
    addWebhook: async (url, given) => {
      const webhook = storedWebhook(seal, { url, ...given });
      await webhooks.create(webhook);
      return webhook;
    },
    addDeliveries: async (webhook, count, given) => {
      const now = new Date();
      const some = Array.from({ length: count }, () => {
        const event_id = newId();
        const told = exampleOf('task.completed', now);
        return { ...newDelivery({ webhook, kind: 'event', event_id, project_id: null, told }, now, 30), ...given };
      });
      for (let n = 0; n < count; n += 1_000) await deliveries.collection.insertMany(some.slice(n, n + 1_000) as never);
      return some;
    },
    count: (status) => deliveries.countDocuments({ status }).exec(),
    webhook: async (id) => {
      const found = await webhooks.findById(id).lean<Webhook>();
      if (!found) throw new Error(`there is no webhook ${id}`);
      return found;
    },
    [Symbol.asyncDispose]: async () => {
      // First, so that no dispatcher waits for an answer.
      await receiver[Symbol.asyncDispose]();
      await running.disposeAsync();
    },
  };
}

import { ProjectAccessCache } from '@claude-cli/shared/access';
import { Accounts } from '@claude-cli/shared/accounts';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import { type Seal, sealUnder } from '@claude-cli/shared/seal';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Settings } from '@claude-cli/shared/settings';
import { database } from './database.ts';
import { type Delivery, type DeliveryModel, deliveryModel } from './deliveries/delivery.ts';
import { NewDeliveries } from './deliveries/new-deliveries.ts';
import { Dispatcher } from './dispatching/dispatcher.ts';
import { Audience } from './events/audience.ts';
import { type ReplayModel, replayModel } from './replays/replay.ts';
import { guardedConnector } from './sending/connect.ts';
import { defaultLimits, type Limits } from './sending/limits.ts';
import { dnsResolve } from './sending/resolve.ts';
import { urlRulesOf, urlSettings } from './sending/rules.ts';
import { Sender } from './sending/sender.ts';
import type { UrlRules } from './sending/url-rule.ts';
import { disableWebhook } from './webhooks/disable-webhook.ts';
import { type WebhookModel, webhookModel } from './webhooks/webhook.ts';

/** Settings of webhook-dispatcher. */
export const settingNames = [
  'WEBHOOK_ENCRYPTION_KEY',
  'WEBHOOK_CONCURRENCY',
  'WEBHOOK_RATE',
  'SHUTDOWN_GRACE_MS',
  'DELIVERY_TTL_DAYS',
  ...urlSettings,
] as const;

type SettingNames = (typeof settingNames)[number];

/** What every handler of webhook-dispatcher is given. */
export interface Context {
  config: Settings<SettingNames>;
  log: Logger;
  bus: Bus;
  webhooks: WebhookModel;
  deliveries: DeliveryModel;
  replays: ReplayModel;
  webhookOutbox: Outbox<AnyEvent>;
  access: ProjectAccessCache;
  audience: Audience;
  seal: Seal;
  /** Where webhooks may lead. */
  urlRules: UrlRules;
  dispatcher: Dispatcher;
  /** See {@link Dispatcher.handOver}. */
  handOver(deliveries: readonly Delivery[]): Promise<void>;
  newDeliveries: NewDeliveries;
}

/**
 * Connect, and tie the outbox and the dispatcher to what they tell.
 * @param limits other than the usual ones, for tests and measurements
 */
export async function createContext(
  { config, log, resources }: BaseContext<SettingNames>,
  limits: Limits = defaultLimits,
): Promise<Context> {
  const { connection } = await resources.connectMongo(database);
  const bus = await resources.connectBus();
  const webhooks = webhookModel(connection);
  const deliveries = deliveryModel(connection);
  const replays = replayModel(connection);
  const projects = resources.channel('project-service');
  const urlRules = urlRulesOf(config);
  const seal = sealUnder(config.WEBHOOK_ENCRYPTION_KEY, 'webhook secrets');
  const webhookOutbox = resources.use(
    new Outbox<AnyEvent>(webhooks.collection, (event) => bus.publishEvent(event), log),
  );
  const stored = { webhooks, deliveries, webhookOutbox, log };
  const knowsInsiders = config.WEBHOOK_ALLOW_PRIVATE_NETWORKS || config.WEBHOOK_ALLOWED_NETWORKS !== undefined;
  const connector = guardedConnector({
    resolve: dnsResolve(knowsInsiders),
    allows: urlRules.allows,
    timeoutMs: limits.connectMs,
  });
  const dispatcher = new Dispatcher({
    ...stored,
    seal,
    limits,
    sender: resources.use(new Sender(connector, urlRules, limits)),
    concurrency: config.WEBHOOK_CONCURRENCY,
    rate: config.WEBHOOK_RATE,
    graceMs: config.SHUTDOWN_GRACE_MS / 3,
    disable: (webhookId, reason) => disableWebhook(stored, webhookId, reason),
  });
  const handOver: Context['handOver'] = (some) => dispatcher.handOver(some);
  return {
    ...stored,
    config,
    bus,
    replays,
    access: new ProjectAccessCache(projects),
    audience: new Audience(projects, new Accounts(projects)),
    seal,
    urlRules,
    dispatcher,
    handOver,
    newDeliveries: resources.use(new NewDeliveries(deliveries, dispatcher, handOver)),
  };
}

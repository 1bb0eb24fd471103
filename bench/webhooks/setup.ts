import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { projectService } from '@claude-cli/project-service/service';
import { Bus } from '@claude-cli/shared/amqp/bus';
import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo } from '@claude-cli/shared/mongo';
import { type Seal, sealUnder } from '@claude-cli/shared/seal';
import { startService } from '@claude-cli/shared/service/service';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { type DeliveryModel, deliveryModel } from '../../apps/webhook-dispatcher/src/deliveries/delivery.ts';
import { firstAccount } from '../../apps/webhook-dispatcher/src/testing/first-account.ts';
import { storedWebhook } from '../../apps/webhook-dispatcher/src/testing/stored-webhook.ts';
import { type Webhook, type WebhookModel, webhookModel } from '../../apps/webhook-dispatcher/src/webhooks/webhook.ts';
import { migrateAll } from '../../scripts/platform/migrate-all.ts';
import { startTestInfrastructure } from '../../scripts/test-infrastructure.ts';

/** Requests to one endpoint under way at once, of the dispatcher and of the bare loop: as many as usual. */
export const concurrency = 10;

/** A dispatcher in a process of its own, and what it works on. */
export interface Measured extends AsyncDisposable {
  /** Store and broker, for people. */
  description: string;
  /** What a dispatcher is started with. */
  env: Record<string, string>;
  webhooks: WebhookModel;
  deliveries: DeliveryModel;
  bus: Bus;
  seal: Seal;
  /** Add webhooks of everything that lead to a URL, followed by their number; all earlier ones are deleted. */
  subscribe(url: string, count: number): Promise<Webhook[]>;
}

/** Start store and broker, and what the dispatcher asks about users; no dispatcher. */
export async function startMeasured(): Promise<Measured> {
  await using starting = new AsyncDisposableStack();
  const infrastructure = starting.use(await startTestInfrastructure({ preferPrivateBroker: true }));
  const { env: common } = starting.use(
    testEnvironment({
      ...infrastructure.env,
      WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true',
      WEBHOOK_CONCURRENCY: String(concurrency),
      WEBHOOK_RATE: '100000',
      LOG_LEVEL: 'warn',
    }),
  );
  await migrateAll(String(common.MONGODB_URI), 'warn');
  const projects = starting.use(await startService(projectService, common));
  const env: Record<string, string> = { ...common, PROJECT_SERVICE_ADDRESS: `127.0.0.1:${projects.grpcPort}` };
  const owner_id = await firstAccount(projects.grpcPort, env);
  const log = createLogger('bench', 'warn');
  const { connection } = starting.use(await connectMongo(String(env.MONGODB_URI), 'webhooks', log));
  const [webhooks, deliveries] = [webhookModel(connection), deliveryModel(connection)];
  const bus = starting.use(await Bus.connect(String(env.AMQP_URL), String(env.AMQP_PREFIX), log));
  const seal = sealUnder([String(env.WEBHOOK_ENCRYPTION_KEY)], 'webhook secrets');
  const running = starting.move();
  return {
    description: infrastructure.description,
    ...{ env, webhooks, deliveries, bus, seal },
    subscribe: async (url, count) => {
      await webhooks.deleteMany({});
      await deliveries.deleteMany({});
      const made = Array.from({ length: count }, (_, n) => storedWebhook(seal, { owner_id, url: `${url}/${n}` }));
      await webhooks.create(made);
      return made;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** A process of this benchmark that ends no later than it is disposed. */
export interface Part extends AsyncDisposable {
  child: ChildProcess;
  /** Send a message, and wait for the next one that it sends. */
  ask<Answer>(message: unknown): Promise<Answer>;
}

/** Start a file as a process. @returns it, and the first message that it sends */
export async function startPart<First>(
  file: string,
  env: Record<string, string> = {},
  execArgv: string[] = [],
): Promise<[Part, First]> {
  const child = fork(new URL(file, import.meta.url), {
    env: { PATH: process.env.PATH, ...env },
    execArgv,
  });
  const ended = once(child, 'exit');
  const next = async () => {
    const [message] = await Promise.race([
      once(child, 'message'),
      ended.then(() => Promise.reject(new Error(`${file} ended`))),
    ]);
    return message;
  };
  const first = await next();
  const part: Part = {
    child,
    ask: (message) => {
      const answer = next();
      child.send(message as object);
      return answer;
    },
    [Symbol.asyncDispose]: async () => {
      child.kill();
      await ended;
    },
  };
  return [part, first];
}

/** The dispatcher, as its own main starts it; asked anything, it tells the megabytes of its heap that are in use. */
export async function startDispatcher({ env }: Measured): Promise<Part> {
  const [part] = await startPart<string>('./dispatcher.ts', env, ['--expose-gc']);
  return part;
}

/** Resolves when so many have arrived at a receiver since it started. */
export async function untilArrived(receiver: Part, arrived: number): Promise<void> {
  const started = performance.now();
  while ((await receiver.ask<number>('how many')) < arrived) {
    if (performance.now() - started > 600_000) throw new Error(`${arrived} have not arrived within ten minutes`);
    await delay(10);
  }
}

/** Resolves when the success of so many deliveries is stored, which is all that there are: counted by an index. */
export async function untilSucceeded({ webhooks, deliveries }: Measured, count: number): Promise<void> {
  const ids = (await webhooks.find({}, { _id: 1 }).lean()).map(({ _id }) => _id);
  const started = performance.now();
  while ((await deliveries.countDocuments({ webhook_id: { $in: ids }, status: 'succeeded' })) < count) {
    if (performance.now() - started > 60_000) throw new Error(`${count} have not succeeded within a minute`);
    await delay(10);
  }
}

/** That there are no more deliveries than so many: reads all of them, so it is no part of what is measured. */
export async function assertNoMore({ deliveries }: Measured, count: number): Promise<void> {
  const stored = await deliveries.countDocuments();
  if (stored !== count) throw new Error(`${stored} deliveries are stored instead of ${count}`);
}

/** The value at a share of numbers. */
export function at(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;
}

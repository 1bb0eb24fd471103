import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { database as projectDatabase } from '@claude-cli/project-service/database';
import { projectService } from '@claude-cli/project-service/service';
import { Bus } from '@claude-cli/shared/amqp/bus';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo } from '@claude-cli/shared/mongo';
import { sealUnder } from '@claude-cli/shared/seal';
import { startService } from '@claude-cli/shared/service/service';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { until } from '@claude-cli/shared/testing/until';
import { describe, expect, test } from '@jest/globals';
import { database } from '../database.ts';
import { deliveryModel } from '../deliveries/delivery.ts';
import { firstAccount } from '../testing/first-account.ts';
import { startReceiver, status } from '../testing/receiver.ts';
import { taskCompleted } from '../testing/requests.ts';
import { storedWebhook } from '../testing/stored-webhook.ts';
import { webhookModel } from '../webhooks/webhook.ts';

const events = 500;
const webhooksPerEvent = 2;
const wanted = events * webhooksPerEvent;

describe('a dispatcher that is killed in the middle of a thousand deliveries', () => {
  test('loses none: each arrives, and each event is one delivery per webhook', async () => {
    await using stack = new AsyncDisposableStack();
    const { env: common } = stack.use(
      testEnvironment({ WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true', WEBHOOK_RATE: '100000' }),
    );
    await migrated(common, database, projectDatabase);
    const projects = stack.use(await startService(projectService, common));
    const env: Record<string, string> = { ...common, PROJECT_SERVICE_ADDRESS: `127.0.0.1:${projects.grpcPort}` };
    const log = createLogger('test', 'silent');
    const { connection } = stack.use(await connectMongo(String(env.MONGODB_URI), 'webhooks', log));
    const [webhooks, deliveries] = [webhookModel(connection), deliveryModel(connection)];
    const receiver = stack.use(await startReceiver());
    const project_id = newId();
    const seal = sealUnder([String(env.WEBHOOK_ENCRYPTION_KEY)], 'webhook secrets');
    const owner_id = await firstAccount(projects.grpcPort, env);
    const subscribed = Array.from({ length: webhooksPerEvent }, () =>
      storedWebhook(seal, { owner_id, url: receiver.url }),
    );
    await webhooks.create(subscribed);

    let running = [await startProcess(env), await startProcess(env)];
    stack.defer(() => Promise.all(running.map(kill)).then(() => {}));
    const bus = stack.use(await Bus.connect(String(env.AMQP_URL), String(env.AMQP_PREFIX), log));
    // Requests beyond a number are held: they are on their way for sure when somebody dies.
    let held: (() => void)[] = [];
    let holdFrom = wanted * 0.2;
    receiver.answer = (...request) => {
      const answer = () => status(204)(...request);
      if (receiver.received.length < holdFrom) answer();
      else held.push(answer);
    };
    const published = Promise.all(Array.from({ length: events }, () => bus.publishEvent(taskCompleted(project_id))));
    for (const { victims, next } of [
      { victims: 2, next: wanted * 0.5 },
      { victims: 1, next: Number.POSITIVE_INFINITY },
    ]) {
      await until(`${holdFrom} have arrived`, () => held.length > 0);
      expect(receiver.received.length).toBeLessThan(wanted);
      await Promise.all(running.splice(0, victims).map(kill));
      holdFrom = next;
      for (const answer of held) answer();
      held = [];
      for (let n = 0; n < victims; n++) running = [...running, await startProcess(env)];
    }
    await published;
    await until(
      'all are settled',
      async () => (await deliveries.countDocuments({ status: 'succeeded' })) === wanted,
      40_000,
    );

    const arrived = new Set(receiver.received.map(({ headers }) => headers['x-delivery-id']));
    expect(arrived.size).toBe(wanted);
    const rows = await deliveries.find().select({ event_id: 1, webhook_id: 1 }).lean();
    expect(rows).toHaveLength(wanted);
    expect(new Set(rows.map(({ event_id, webhook_id }) => `${event_id} ${webhook_id}`)).size).toBe(wanted);
    // What was under way when its process died came twice, and that is all: 80 of each at most.
    const again = receiver.received.length - wanted;
    expect(again).toBeGreaterThan(0);
    expect(again).toBeLessThan(wanted / 4);
  });
});

async function startProcess(env: Record<string, string>): Promise<ChildProcess> {
  const child = fork(new URL('../testing/dispatcher-process.ts', import.meta.url), {
    env: { PATH: process.env.PATH, ...env },
    execArgv: [],
  });
  await Promise.race([once(child, 'message'), once(child, 'exit').then(() => Promise.reject(new Error('it ended')))]);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

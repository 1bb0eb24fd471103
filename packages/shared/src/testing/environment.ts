import { randomBytes } from 'node:crypto';
import { connect } from 'amqplib';
import { createConnection } from 'mongoose';
import { namesFor, priorities, serviceQueues } from '../amqp/topology.ts';
import { databasePrefix } from '../mongo.ts';
import { testServiceSecret } from './trust.ts';

/** Settings under which a service can be started for tests, apart from everything else on the same store and broker. */
export interface TestEnvironment extends AsyncDisposable {
  env: Record<string, string>;
}

/**
 * A store and a broker of one's own: names that nobody else uses on the servers that MONGODB_URI and AMQP_URL name, in the
 * settings or else in the environment. Disposing removes what was made under those names.
 */
export function testEnvironment(given: Record<string, string> = {}): TestEnvironment {
  const {
    MONGODB_URI = process.env.MONGODB_URI,
    AMQP_URL = process.env.AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672',
    ...settings
  } = given;
  if (!MONGODB_URI) throw new Error('tests need MONGODB_URI: run them by `npm test`, which starts a store');
  const name = `test_${randomBytes(6).toString('hex')}`;
  const uri = new URL(MONGODB_URI);
  uri.pathname = `/${name}`;
  const env = {
    MONGODB_URI: uri.toString(),
    AMQP_URL,
    AMQP_PREFIX: name,
    AMQP_BUNDLES: 'true',
    HOST: '127.0.0.1',
    PORT: '0',
    GRPC_PORT: '0',
    ADMIN_PORT: '0',
    ADMIN_USERNAME: 'admin',
    ADMIN_PASSWORD: 'correct horse battery staple',
    JWT_SECRET: randomBytes(32).toString('hex'),
    SERVICE_SECRET: testServiceSecret,
    WEBHOOK_ENCRYPTION_KEY: randomBytes(32).toString('hex'),
    LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
    ...settings,
  };
  return { env, [Symbol.asyncDispose]: () => removeAll(env.MONGODB_URI, AMQP_URL, name) };
}

async function removeAll(mongodbUri: string, amqpUrl: string, name: string): Promise<void> {
  const store = await createConnection(mongodbUri).asPromise();
  const { databases } = await store.getClient().db('admin').admin().listDatabases({ nameOnly: true });
  for (const database of databases) {
    if (database.name.startsWith(`${databasePrefix(mongodbUri)}_`)) await store.useDb(database.name).dropDatabase();
  }
  await store.close();

  const broker = await connect(amqpUrl);
  const channel = await broker.createChannel();
  const names = namesFor(name);
  const queues = [...priorities.map(names.executionQueue), ...serviceQueues.map(names.serviceQueue), names.deadLetters];
  for (const queue of queues) await channel.deleteQueue(queue);
  for (const exchange of [names.events, names.live, names.executions, names.control, names.deadLetters]) {
    await channel.deleteExchange(exchange);
  }
  await broker.close();
}

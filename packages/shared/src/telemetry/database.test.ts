import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createLogger } from '../logger.ts';
import { connectMongo, type Mongo } from '../mongo.ts';
import { startCollector } from '../testing/collector.ts';
import { type TestEnvironment, testEnvironment } from '../testing/environment.ts';
import { startTelemetry } from './start.ts';
import { inSpan } from './tracing.ts';

let environment: TestEnvironment;

beforeAll(() => {
  environment = testEnvironment();
});
afterAll(async () => environment[Symbol.asyncDispose]());

interface ToldSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  kind: number;
  attributes: { key: string; value: Record<string, unknown> }[];
  status: { code: number };
}

/** The spans that a collector is told while something is done with a database. */
async function spansOf(work: (mongo: Mongo) => Promise<void>): Promise<ToldSpan[]> {
  await using collector = await startCollector();
  {
    await using _telemetry = await startTelemetry({ service: 'test', endpoint: collector.endpoint, ratio: 1 });
    await using mongo = await connectMongo(environment.env.MONGODB_URI ?? '', 'things', createLogger('test', 'silent'));
    await work(mongo);
  }
  expect(JSON.stringify(collector.told)).not.toContain('never told');
  const sent = (collector.told.traces ?? []) as { resourceSpans: { scopeSpans: { spans: ToldSpan[] }[] }[] }[];
  return sent.flatMap(({ resourceSpans }) => resourceSpans.flatMap((each) => each.scopeSpans.flatMap((s) => s.spans)));
}

const attributesOf = ({ attributes }: ToldSpan) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

test('commands are spans inside of what asks for them, with names and codes and nothing of what they hold', async () => {
  const spans = await spansOf(async ({ connection }) => {
    const things = connection.collection<{ _id: string; text?: string }>('things');
    await inSpan('a request', {}, async () => {
      await things.insertMany([{ _id: 'never told 1' }, { _id: 'never told 2' }, { _id: 'never told 3' }]);
      // As callbacks do, what is asked after a wait belongs there as well.
      await setTimeout(1);
      await Promise.all([
        things.updateOne({ _id: 'never told 1' }, { $set: { text: 'never told' } }),
        things.find({ text: { $ne: 'never told' } }, { batchSize: 1 }).toArray(),
      ]);
      await connection.db?.command({ ping: 1 });
      await expect(connection.db?.command({ update: 'things', updates: 'never told' })).rejects.toThrow();
    });
  });
  const request = spans.find(({ name }) => name === 'a request');
  const commands = spans.filter((span) => span !== request);
  expect(commands.map(({ name }) => name).toSorted()).toEqual([
    'find things',
    'getMore things',
    'insert things',
    'ping',
    'update things',
    'update things',
  ]);
  for (const { traceId, parentSpanId, kind } of commands) {
    expect({ traceId, parentSpanId, kind }).toEqual({
      traceId: request?.traceId,
      parentSpanId: request?.spanId,
      kind: 3,
    });
  }
  const { hostname, port, pathname } = new URL(environment.env.MONGODB_URI ?? '');
  const everywhere = {
    'db.system.name': 'mongodb',
    'db.namespace': `${pathname.slice(1)}_things`,
    'server.address': hostname,
    'server.port': Number(port || 27_017),
  };
  const inserted = commands.find(({ name }) => name === 'insert things') as ToldSpan;
  expect(attributesOf(inserted)).toEqual({
    ...everywhere,
    'db.operation.name': 'insert',
    'db.collection.name': 'things',
  });
  const pinged = commands.find(({ name }) => name === 'ping') as ToldSpan;
  expect(attributesOf(pinged)).toEqual({ ...everywhere, 'db.operation.name': 'ping' });
  const failed = commands.filter(({ status }) => status.code === 2);
  expect(failed).toHaveLength(1);
  const { 'error.type': type, 'db.response.status_code': code } = attributesOf(failed[0] as ToldSpan);
  expect([type, code]).toEqual([expect.stringMatching(/^\d+$/), type]);
});

test('a command outside of any span, or of a trace that is not recorded, is none', async () => {
  const unrecorded = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
  const spans = await spansOf(async (mongo) => {
    await mongo.ping();
    await inSpan('not recorded', { parent: unrecorded }, () => mongo.ping());
  });
  expect(spans).toEqual([]);
});

test('without a collector the driver tells of no commands', async () => {
  await using mongo = await connectMongo(environment.env.MONGODB_URI ?? '', 'things', createLogger('test', 'silent'));
  const client = mongo.connection.getClient();
  expect([client.options.monitorCommands, client.listenerCount('commandStarted')]).toEqual([false, 0]);
});

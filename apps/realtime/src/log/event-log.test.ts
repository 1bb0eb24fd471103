import { type AnyEvent, newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo, type Mongo } from '@claude-cli/shared/mongo';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { database } from '../database.ts';
import { facts } from '../testing/platform.ts';
import { EventLog } from './event-log.ts';
import { type LogEntry, LogStore } from './log-store.ts';
import type { Scope } from './scope.ts';

const environment = testEnvironment();
let mongo: Mongo;
let store: LogStore;

beforeAll(async () => {
  await migrated(environment.env, database);
  mongo = await connectMongo(environment.env.MONGODB_URI ?? '', 'realtime', createLogger('test', 'silent'));
  store = new LogStore(mongo.connection, 3_600);
});
afterAll(async () => {
  await mongo[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

const updates = (project_id: string, count: number) =>
  Array.from({ length: count }, () => {
    return newEvent('task.updated', { actor: 'test', project_id }, facts('t')) as AnyEvent;
  });
const logged = async (scope: Scope) => store.models.entries.find({ scope }).sort({ seq: 1 }).lean<LogEntry[]>();

test('events are numbered on, batch by batch, and by another process after that', async () => {
  const project = newId();
  const [one, two] = [new EventLog(store), new EventLog(store)];
  const [first, second, third] = [updates(project, 3), updates(project, 2), updates(project, 1)];
  await one.add(first, false);
  await one.add(second, false);
  const entries = await two.add(third, false);
  expect(entries.map(({ seq }) => seq)).toEqual([6]);
  const all = await logged(`project:${project}`);
  expect(all.map(({ _id, seq }) => [_id, seq])).toEqual(
    [...first, ...second, ...third].map(({ id }, i) => [id, i + 1]),
  );
  expect(new Set(all.map(({ epoch }) => epoch)).size).toBe(1);
});

test('an event that comes again has the number that it had, whether that was expected or not', async () => {
  const project = newId();
  const log = new EventLog(store);
  const events = updates(project, 3);
  const before = await log.add(events, false);
  const fresh = updates(project, 1);
  for (const doubtful of [true, false]) {
    const again = await new EventLog(store).add([...events, ...fresh], doubtful);
    expect(again.map(({ seq }) => seq)).toEqual([...before.map(({ seq }) => seq), 4]);
  }
  expect(await logged(`project:${project}`)).toHaveLength(4);
});

test('two who number the same events at the same time, and others, leave one log without holes or doubles', async () => {
  const project = newId();
  const logs = [new EventLog(store), new EventLog(store)];
  const rounds = Array.from({ length: 5 }, () => updates(project, 4));
  for (const round of rounds) {
    const results = await Promise.all(logs.map((log) => log.add(round, false)));
    const numbers = results.map((entries) => entries.map(({ _id, seq }) => `${_id} ${seq}`));
    expect(numbers[0]).toEqual(numbers[1]);
  }
  const all = await logged(`project:${project}`);
  expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  expect(all.map(({ _id }) => _id).toSorted()).toEqual(
    rounds
      .flat()
      .map(({ id }) => id)
      .toSorted(),
  );
});

test('the place of a scope outlives its entries', async () => {
  const project = newId();
  const log = new EventLog(store);
  const entries = await log.add(updates(project, 5), false);
  await log.saveHeads();
  await store.models.entries.deleteMany({ scope: `project:${project}` });
  expect(await store.head(`project:${project}`)).toEqual({ epoch: entries[0]?.epoch, seq: 5 });
  const next = await new EventLog(store).add(updates(project, 1), false);
  expect(next).toMatchObject([{ epoch: entries[0]?.epoch, seq: 6 }]);
});

test('a place that was lost begins a new epoch at 1, also for who still remembers it', async () => {
  const project = newId();
  const scope: Scope = `project:${project}`;
  const log = new EventLog(store);
  const [before] = await log.add(updates(project, 5), false);
  await store.models.entries.deleteMany({ scope });
  await store.models.heads.deleteOne({ _id: scope });
  await log.saveHeads();
  const [after] = await log.add(updates(project, 1), false);
  expect(after?.seq).toBe(1);
  expect(after?.epoch).not.toBe(before?.epoch);
  expect(await store.head(scope)).toEqual({ epoch: after?.epoch, seq: 1 });
});

test('who ask for the place of a new scope at the same time are told the same', async () => {
  const scope: Scope = `project:${newId()}`;
  const heads = await Promise.all(Array.from({ length: 8 }, () => store.head(scope)));
  expect(new Set(heads.map(({ epoch, seq }) => `${epoch} ${seq}`)).size).toBe(1);
});

test('of a scope only the newest are kept', async () => {
  const project = newId();
  const log = new EventLog(store, { numbers: 10, slack: 5 });
  for (let round = 0; round < 10; round++) await log.add(updates(project, 4), false);
  const numbers = (await logged(`project:${project}`)).map(({ seq }) => seq);
  expect(numbers.at(-1)).toBe(40);
  expect(numbers.length).toBeGreaterThanOrEqual(10);
  expect(numbers.length).toBeLessThan(20);
});

test('entries expire after the time that is set', async () => {
  const project = newId();
  await new EventLog(store).add(updates(project, 1), false);
  const [entry] = await logged(`project:${project}`);
  const seconds = (Number(entry?.expires_at) - Date.now()) / 1_000;
  expect(seconds).toBeGreaterThan(3_590);
  expect(seconds).toBeLessThanOrEqual(3_600);
  const indexes = await store.models.entries.listIndexes();
  expect(indexes).toContainEqual(expect.objectContaining({ key: { expires_at: 1 }, expireAfterSeconds: 0 }));
});

test('every question to the log is answered from an index, in its order', async () => {
  const { entries, heads } = store.models;
  const scope: Scope = 'project:p';
  await new EventLog(store).add(updates('p', 3), false);
  const questions = {
    last: store.lastOf(scope, 'e'),
    between: store.between(scope, 'e', 5, 100, 10),
    known: entries.find({ _id: { $in: ['a', 'b'] } }),
    trimmed: entries.find({ scope, epoch: 'e', seq: { $lte: 5 } }),
    heads: heads.find({ _id: { $in: [scope] } }),
    saved: heads.find({ _id: scope, epoch: 'e' }),
  };
  for (const [name, question] of Object.entries(questions)) {
    const plan = await planOf(question);
    expect([name, /IXSCAN|IDHACK|EXPRESS/.test(plan), plan.includes('COLLSCAN'), sortsByItself(plan)]).toEqual([
      name,
      true,
      false,
      false,
    ]);
  }
});

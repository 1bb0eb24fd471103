import type { Job } from '@claude-cli/proto/platform/v1/executions';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

afterEach(() => harness.reset());

const job = (command: string): Job => ({
  execution_id: newId(),
  task_id: newId(),
  project_id: harness.project,
  user_id: 'user-1',
  generation: 1,
  prompt: 'Say hello',
  timeout_ms: 30_000,
  lease_ms: 30_000,
  command,
});
const offer = (command: string) => {
  const offered = job(command);
  harness.standIn.offer(offered);
  return offered.execution_id;
};
/** Questions that wait, in the order in which they began to. */
const waiting = () => harness.standIn.waits.flatMap(({ claim_ids }) => claim_ids);
const allWait = (count: number) => until('all slots to wait', () => harness.standIn.waiting === count);

test('each free slot waits at task-service, and runs what it is given without a token', async () => {
  const runner = await harness.runner({ RUNNER_CONCURRENCY: '3' });
  await allWait(3);
  expect(harness.standIn.waits).toMatchObject([
    { runner_id: runner.ctx.runner.runner_id, wait_ms: 10_000, maybe_granted: false },
  ]);
  const execution_id = offer('echo given');
  expect(await harness.finished(execution_id)).toMatchObject({ status: 'completed', exit_code: 0 });
  expect(harness.standIn.claims).toEqual([]);
  // Its slot waits again, by another question.
  await allWait(3);
  expect(new Set(waiting()).size).toBe(4);
});

test('no more runs at once than there are slots, whether given or by token', async () => {
  await harness.runner({ RUNNER_CONCURRENCY: '2' });
  await allWait(2);
  const given = offer('sleep 0.5');
  const { execution_id } = await harness.execute('sleep 0.5');
  await until('both to run', () => harness.standIn.waiting === 0 && harness.standIn.claims.length === 1);
  const later = offer('true');
  const { execution_id: last } = await harness.execute('true');
  const ended = await Promise.all([given, execution_id, later, last].map((id) => harness.finished(id)));
  const firstEnd = Math.min(...ended.slice(0, 2).map(({ finished_at }) => Date.parse(finished_at)));
  for (const { started_at } of ended.slice(2)) expect(Date.parse(started_at)).toBeGreaterThanOrEqual(firstEnd);
});

test('a slot that waits asks by the same question when a token comes, and waits on when there is nothing', async () => {
  await harness.runner({ RUNNER_CONCURRENCY: '1' });
  await allWait(1);
  await harness.bus.publishJob('normal');
  await until('it is asked for', () => harness.standIn.claims.length === 1);
  expect(waiting()).toEqual([harness.standIn.claims[0]?.claim_id]);
  await harness.finished(offer('true'));
});

test('what is given while a token is asked for runs once, and the token is left to another execution', async () => {
  await harness.runner({ RUNNER_CONCURRENCY: '1' });
  await allWait(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  harness.standIn.gate = promise;
  const { execution_id: second } = await harness.execute('true');
  await until('it is asked for', () => harness.standIn.claims.length === 1);
  const first = offer('true');
  expect(await harness.finished(first)).toMatchObject({ status: 'completed' });
  resolve();
  expect(await harness.finished(second)).toMatchObject({ status: 'completed' });
  expect(harness.events.filter(({ type }) => type === 'execution.finished')).toHaveLength(2);
  await until('no token to be left', async () => (await harness.queue('normal')).messageCount === 0);
});

test('what a wait was given that broke off is asked for until it is found', async () => {
  await harness.runner({ RUNNER_CONCURRENCY: '1' });
  await allWait(1);
  Object.assign(harness.standIn, { losesGiven: true, overtaken: 1 });
  const execution_id = offer('true');
  expect(await harness.finished(execution_id)).toMatchObject({ status: 'completed' });
  const looks = harness.standIn.waits.filter(({ maybe_granted }) => maybe_granted);
  expect(looks.length).toBeGreaterThanOrEqual(2);
  for (const { claim_ids, wait_ms } of looks) expect([claim_ids, wait_ms]).toEqual([waiting().slice(0, 1), 500]);
});

test('a runner that stops ends its waits first, and runs what was just given', async () => {
  const runner = await harness.runner({ RUNNER_CONCURRENCY: '2' });
  await allWait(2);
  const execution_id = offer('sleep 0.2');
  await runner[Symbol.asyncDispose]();
  expect(harness.standIn.endedWaits).toEqual([runner.ctx.runner.runner_id]);
  expect(harness.standIn.waiting).toBe(0);
  expect(await harness.finished(execution_id)).toMatchObject({ status: 'completed' });
});

test('a runner that stops cuts off waits that do not end, and asks what they were granted', async () => {
  const runner = await harness.runner({ RUNNER_CONCURRENCY: '1', SHUTDOWN_GRACE_MS: '60000' });
  await allWait(1);
  const unheard = job('true');
  harness.standIn.endsNoWaits = true;
  harness.standIn.grantUnheard(waiting()[0] ?? '', unheard);
  await runner[Symbol.asyncDispose]();
  expect(harness.standIn.waits.at(-1)).toMatchObject({ maybe_granted: true, wait_ms: 0 });
  expect(await harness.finished(unheard.execution_id)).toMatchObject({ status: 'completed' });
});

test('where nobody can wait, tokens are enough', async () => {
  harness.standIn.away = true;
  await harness.runner({ RUNNER_CONCURRENCY: '2' });
  await until('it was tried more than once', () => harness.standIn.waits.length > 1);
  harness.standIn.away = false;
  const { execution_id } = await harness.execute('true');
  expect(await harness.finished(execution_id)).toMatchObject({ status: 'completed' });
});

test('what a replica grants that did not know that the question was answered elsewhere runs as well', async () => {
  await harness.runner({ RUNNER_CONCURRENCY: '1' });
  await allWait(1);
  const { execution_id } = await harness.execute('true');
  await harness.finished(execution_id);
  const [claim_id = ''] = waiting();
  expect(harness.standIn.claims).toMatchObject([{ claim_id }]);
  harness.standIn.forget(claim_id);
  const { execution_id: other } = job('true');
  harness.standIn.offer({ ...job('true'), execution_id: other });
  expect(await harness.finished(other)).toMatchObject({ status: 'completed' });
  // Told twice, it runs once.
  expect(harness.events.filter(({ type }) => type === 'execution.finished')).toHaveLength(2);
});

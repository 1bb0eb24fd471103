import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start({ SHUTDOWN_GRACE_MS: '20000' });
});
afterEach(() => harness.reset());
afterAll(() => harness[Symbol.asyncDispose]());

test('an execution that was claimed and is not started yet when its runner stops runs to its end', async () => {
  const runner = await harness.runner();
  const { safety } = runner.ctx;
  const judge = safety.judge.bind(safety);
  const judging = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  safety.judge = async (...command) => {
    judging.resolve();
    await mayGoOn.promise;
    return judge(...command);
  };
  const { execution_id } = await harness.execute('echo begun; sleep 0.2; echo ended');
  await judging.promise;
  const stopped = runner[Symbol.asyncDispose]();
  await until('the runner to take no more', async () => (await harness.queue('normal')).consumerCount === 0);
  mayGoOn.resolve();
  expect(await harness.finished(execution_id)).toMatchObject({ status: 'completed', exit_code: 0, error: null });
  await stopped;
});

test('an execution whose granting was not heard when its runner stops is asked for again, and runs to its end', async () => {
  const runner = await harness.runner();
  const { promise, resolve } = Promise.withResolvers<void>();
  Object.assign(harness.standIn, { gate: promise, lostAnswers: 1, overtaken: 1 });
  const { execution_id } = await harness.execute('true');
  await until('it is asked for', () => harness.standIn.claims.length === 1);
  const stopped = runner[Symbol.asyncDispose]();
  await until('the runner to leave', () => harness.standIn.reports.some(({ leaving }) => leaving));
  resolve();
  expect(await harness.finished(execution_id)).toMatchObject({ status: 'completed' });
  await stopped;
});

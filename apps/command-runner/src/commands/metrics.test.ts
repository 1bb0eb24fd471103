import { metricOf } from '@claude-cli/shared/testing/metric';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { as, Harness, type TestRunner } from '../testing/harness.ts';

let harness: Harness;
let runner: TestRunner;

beforeAll(async () => {
  harness = await Harness.start();
  runner = await harness.runner({ RUNNER_CONCURRENCY: '4', COMMAND_CONCURRENCY: '3' });
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
});

const room = async () => ({
  total: [
    await metricOf('runner_slots', { kind: 'execution', state: 'total' }),
    await metricOf('runner_slots', { kind: 'direct', state: 'total' }),
  ],
  used: [
    await metricOf('runner_slots', { kind: 'execution', state: 'used' }),
    await metricOf('runner_slots', { kind: 'direct', state: 'used' }),
  ],
});

test('the metrics tell how much room a runner has, and how its commands ended', async () => {
  expect(await room()).toEqual({ total: [4, 3], used: [0, 0] });
  const ann = as('ann');
  const { command_id } = await runner.commands.executeCommand({ command: 'sleep 60', environment: {} }, ann);
  const job = await harness.execute('sleep 60');
  await until('it runs', () => runner.ctx.running.get(job.execution_id)?.pid);
  expect(await room()).toEqual({ total: [4, 3], used: [1, 1] });
  await runner.commands.cancelCommand({ command_id }, ann);
  runner.ctx.running.get(job.execution_id)?.stop('timed out');
  await until('both have left', async () => (await room()).used.every((used) => used === 0));
  expect(await metricOf('commands_total', { kind: 'direct', status: 'cancelled' })).toBe(1);
  expect(await metricOf('commands_total', { kind: 'execution', status: 'timed_out' })).toBe(1);
});

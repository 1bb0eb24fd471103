import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

test('a runner that is stopped leaves what waits to others, lets work finish, and stops what does not', async () => {
  const leaving = await harness.runner({ RUNNER_CONCURRENCY: '2', SHUTDOWN_GRACE_MS: '4000' });
  const finishing = await harness.execute('echo up; sleep 1; echo finished');
  const stubborn = await harness.execute("trap '' TERM; echo up; while :; do sleep 0.1; done");
  for (const { execution_id } of [finishing, stubborn]) {
    await until('it is up', () => harness.shown(execution_id).length > 0);
  }
  const waiting = await harness.execute('echo elsewhere');
  await leaving[Symbol.asyncDispose]();
  expect(await harness.finished(finishing.execution_id)).toMatchObject({ status: 'completed', exit_code: 0 });
  // task-service tries it again while attempts are left, as after any failure.
  expect(await harness.finished(stubborn.execution_id)).toMatchObject({
    status: 'failed',
    error: 'runner stopped',
    exit_code: -9,
  });
  expect(harness.shown(waiting.execution_id)).toEqual([]);
  expect(harness.standIn.reports.at(-1)).toMatchObject({ runner_id: leaving.ctx.runner.runner_id, leaving: true });
  const next = await harness.runner();
  expect(await harness.finished(waiting.execution_id)).toMatchObject({ status: 'completed' });
  expect(await next.ctx.commands.find(waiting.execution_id)).toMatchObject({ runner_id: next.ctx.runner.runner_id });
});

import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Harness } from '../testing/harness.ts';

describe('a runner', () => {
  let harness: Harness;

  beforeAll(async () => {
    harness = await Harness.start();
  });
  afterEach(() => harness.reset());
  afterAll(() => harness[Symbol.asyncDispose]());

  test('says how many slots it has when it starts, and that it leaves when it stops', async () => {
    const runner = await harness.runner({ RUNNER_CONCURRENCY: '7' });
    const { runner_id } = runner.ctx.runner;
    const { reports } = harness.standIn;
    await until('the first report', () => reports.length > 0);
    expect(reports).toEqual([{ runner_id, slots: 7, leaving: false }]);
    await runner[Symbol.asyncDispose]();
    expect(reports.at(-1)).toEqual({ runner_id, slots: 7, leaving: true });
  });

  test('starts, says so again and stops while task-service does not answer', async () => {
    harness.standIn.away = true;
    const runner = await harness.runner();
    await until('a second report', () => harness.standIn.reports.length > 1);
    const asked = performance.now();
    await runner[Symbol.asyncDispose]();
    // A report may take two seconds, and is not repeated.
    expect(performance.now() - asked).toBeLessThan(8_000);
  });
});

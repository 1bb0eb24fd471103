import { metricOf } from '@claude-cli/shared/testing/metric';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Played, startPlayed } from '../testing/played.ts';
import { wakeDue } from './sweep.ts';

describe('an execution', () => {
  let at: Played;
  beforeAll(async () => {
    at = await startPlayed();
  });
  beforeEach(() => at.runner.clear());
  afterAll(async () => at?.[Symbol.asyncDispose]());

  test('is counted when it is claimed, when it is tried again, and when it ends', async () => {
    const counts = async () => ({
      claimed: await metricOf('execution_wait_seconds', { le: '+Inf', priority: 'normal' }),
      retried: await metricOf('execution_retries_total', { priority: 'normal' }),
      failed: await metricOf('executions_total', { priority: 'normal', status: 'failed' }),
    });
    const before = await counts();
    const facts = await at.runner.run(await at.runner.newTask(), { retry_attempts: 1 });
    await at.runner.report(facts, { status: 'failed', error: 'no' });
    await until('it is tried again', async () => (await counts()).retried === before.retried + 1);
    expect(await counts()).toEqual({ claimed: before.claimed + 1, retried: before.retried + 1, failed: before.failed });
    await at.platform.ctx.executions.updateOne({ _id: facts.execution_id }, { $set: { due_at: new Date() } });
    await wakeDue(at.platform.ctx);
    const again = await at.runner.claim();
    expect(again.job?.execution_id).toBe(facts.execution_id);
    await at.runner.report({ ...facts, generation: 2 }, { status: 'failed', error: 'no' });
    await until('it has failed', async () => (await counts()).failed === before.failed + 1);
    // It had waited before.
    expect(await metricOf('execution_wait_seconds', { le: '+Inf', priority: 'normal' })).toBe(before.claimed + 1);
  });
});

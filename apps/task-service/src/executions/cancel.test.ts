import type { ControlMessage } from '@claude-cli/shared/amqp/bus';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Played, startPlayed } from '../testing/played.ts';

describe('an execution', () => {
  let at: Played;
  beforeAll(async () => {
    at = await startPlayed();
  });
  beforeEach(() => at.runner.clear());
  afterAll(async () => at?.[Symbol.asyncDispose]());

  test('that waits is cancelled at once and never granted', async () => {
    const task_id = await at.runner.newTask();
    const { execution_id } = await at.runner.execute(task_id);
    const cancelled = await at.platform.tasks.cancelTask({ task_id, reason: 'changed' }, at.platform.admin);
    expect(cancelled).toMatchObject({ task_id, status: 'cancelled', reason: 'changed' });
    expect(await at.runner.claim()).toMatchObject({ verdict: 'none', job: undefined });
    await at.runner.taskBecomes(task_id, 'cancelled');
    expect(await at.runner.stored(execution_id)).toMatchObject({
      status: 'cancelled',
      cancel_request: { reason: 'changed' },
    });
    await expect(at.platform.tasks.cancelTask({ task_id }, at.platform.admin)).rejects.toMatchObject({
      code: 'TASK_CANCELLED',
    });
  });

  test('that runs is stopped by its runner before the cancellation is answered', async () => {
    const running = await at.runner.run(await at.runner.newTask());
    const orders: ControlMessage[] = [];
    await using _ = await at.platform.ctx.bus.subscribe<ControlMessage>(
      { exchange: 'control', patterns: [''], prefetch: 1 },
      async (order) => void orders.push(order),
    );
    const cancelled = at.platform.tasks.cancelTask({ task_id: running.task_id }, at.platform.admin, {
      deadlineMs: 10_000,
    });
    await until('the order', () => orders.length > 0);
    expect(orders[0]).toEqual({ order: 'cancel', command_id: running.execution_id });
    const renewal = { execution_id: running.execution_id, generation: 1, runner_id: 'runner-1' };
    expect(await at.platform.executions.renewLease(renewal, at.platform.runner)).toEqual({ held: false });
    await at.runner.report(running, { status: 'failed', exit_code: -15, error: 'killed' });
    expect(await cancelled).toMatchObject({ status: 'cancelled' });
    expect(await at.runner.taskBecomes(running.task_id, 'cancelled')).toMatchObject({ status: 'cancelled' });
  });
});

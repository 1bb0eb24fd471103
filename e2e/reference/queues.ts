import { expect, test } from '@jest/globals';
import { taskWithStatus } from '../support/tasks.ts';
import type { Reference } from './reference.ts';

/** Queues, as the API reference shows them. */
export function queues(reference: () => Reference): void {
  test('tell their status and metrics', async () => {
    const queue = { size: 5, processing: 2, completed_today: 145 };
    await reference().shows('GET', '/api/queues/status', undefined, 200, {
      queues: { high_priority: queue, normal_priority: queue, low_priority: queue },
      workers: { active: 10, idle: 5, total: 15 },
      performance: { tasks_per_minute: 25.5, average_processing_time: '00:02:15', success_rate: 0.956 },
    });
    for (const [period, buckets] of [
      ['1h', 12],
      ['24h', 24],
      ['7d', 28],
      ['30d', 30],
    ] as const) {
      const metrics = await reference().call<{ buckets: object[] }>('GET', `/api/queues/metrics?period=${period}`);
      expect(Math.abs(metrics.buckets.length - buckets)).toBeLessThanOrEqual(1);
    }
    expect((await reference().send('GET', '/api/queues/metrics?period=2h')).status).toBe(422);
  });

  test('are paused, reprioritised, cleared and resumed', async () => {
    const pause = { queue_name: 'low_priority', reason: 'Maintenance window' };
    expect(await reference().call('POST', '/api/queues/pause', pause)).toMatchObject({ ...pause, status: 'paused' });
    const [one, two] = [
      await reference().newTask('Wait', { command: 'true' }),
      await reference().newTask('Run', { command: 'true' }),
    ];
    for (const { id } of [one, two]) await reference().call('POST', `/api/tasks/${id}/execute`, { priority: 'low' });
    expect(
      await reference().call('POST', '/api/queues/priority', { task_ids: [two.id], priority: 'high' }),
    ).toMatchObject({
      affected_count: 1,
      successful: [two.id],
    });
    await taskWithStatus(reference().running.admin, two.id, ['completed']);
    expect(await reference().call('GET', `/api/tasks/${one.id}`)).toMatchObject({ status: 'pending' });
    const unsure = await reference().send('DELETE', '/api/queues/clear', {
      queue_name: 'low_priority',
      confirm: false,
    });
    expect([unsure.status, unsure.body.error?.details.field]).toEqual([422, 'confirm']);
    expect(
      await reference().call('DELETE', '/api/queues/clear', { queue_name: 'low_priority', confirm: true }),
    ).toMatchObject({
      cleared_count: 1,
    });
    await taskWithStatus(reference().running.admin, one.id, ['cancelled']);
    expect(await reference().call('POST', '/api/queues/resume', { queue_name: 'low_priority' })).toMatchObject({
      status: 'active',
    });
  });
}

import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Platform } from '../testing/platform.ts';
import { transports } from '../testing/transports.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await Platform.start({ metricsMs: 100 });
});
afterAll(() => platform[Symbol.asyncDispose]());

const calls = (method: string) => platform.world.calls.filter((call) => call.startsWith(method)).length;
const performance = {
  cpu_usage: expect.any(Number),
  memory_usage: expect.any(Number),
  active_connections: expect.any(Number),
  tasks_per_minute: 15.5,
  queue_sizes: { high: expect.any(Number), normal: 12, low: 45 },
};

describe.each(transports)('by $name', (transport) => {
  test('the queues are told at once, and when something has changed', async () => {
    const user = platform.user();
    platform.world.waiting = 1;
    const { answer, inbox, leave } = await transport.listen(platform, user, { channel: 'queue_status' });
    expect(answer.data).toEqual({ channel: 'queue_status' });
    expect((await inbox.next()).data).toEqual({
      queues: {
        high_priority: { size: 1, processing: 0, completed_today: 0, paused: false, pause_reason: null },
        normal_priority: { size: 0, processing: 0, completed_today: 0, paused: false, pause_reason: null },
        low_priority: { size: 0, processing: 0, completed_today: 0, paused: false, pause_reason: null },
      },
      workers: { active: 1, idle: 3, total: 4 },
      performance: { tasks_per_minute: 0, average_processing_time: '00:00:00', success_rate: 1 },
    });
    platform.world.waiting = 2;
    await until('the change to be told', async () => {
      const { queues } = (await inbox.next('queue_status')).data as { queues: Record<string, { size: number }> };
      return queues.high_priority?.size === 2;
    });
    leave();
  });

  test('one queue is told alone', async () => {
    const wish = { channel: 'queue_status', queue_name: 'low_priority' as const };
    const { answer, inbox, leave } = await transport.listen(platform, platform.user(), wish);
    expect(answer.data).toEqual(wish);
    const { queues } = (await inbox.next()).data;
    expect(Object.keys(queues as object)).toEqual(['low_priority']);
    leave();
  });

  test('measurements come at once and then at the interval that was asked for', async () => {
    const wish = { channel: 'performance_data', interval: 1 };
    const { answer, inbox, leave } = await transport.listen(platform, platform.user(), wish);
    expect(answer.data).toEqual(wish);
    const measured = await inbox.take(3);
    for (const message of measured) {
      expect(message).toMatchObject({ type: 'performance_data', data: performance, timestamp: expect.any(String) });
    }
    const [first = 0, , third = 0] = measured.map(({ timestamp }) => Date.parse(String(timestamp)));
    expect(third - first).toBeGreaterThan(1_500);
    leave();
  });
});

test('nobody is asked while nobody listens', async () => {
  const { hub } = platform.service.ctx;
  await until('all to have left', () => hub.subscribers().length === 0);
  const ticks = platform.service.ctx.metrics;
  await ticks.tick();
  const before = platform.world.calls.length;
  for (let tick = 0; tick < 5; tick++) await ticks.tick();
  expect(platform.world.calls.slice(before).filter((call) => call.startsWith('getQueue'))).toEqual([]);
});

test('many who listen cost as much as one', async () => {
  const clients = await Promise.all(Array.from({ length: 10 }, () => platform.signIn(platform.user())));
  for (const client of clients) await client.ask({ type: 'subscribe', channel: 'queue_status' });
  const before = calls('getQueueStatus');
  for (let tick = 0; tick < 3; tick++) await platform.service.ctx.metrics.tick();
  // The service ticks by itself meanwhile, too.
  expect(calls('getQueueStatus') - before).toBeLessThan(12);
  for (const client of clients) client.socket.terminate();
});

test('another interval takes the place of the one before, and one word ends it', async () => {
  const client = await platform.signIn(platform.user());
  const mine = () => platform.service.ctx.hub.subscribers().flatMap((each) => platform.service.ctx.hub.of(each));
  const ask = (type: string, more: object) => client.ask({ type, channel: 'performance_data', ...more });
  expect((await ask('subscribe', {})).data).toEqual({ channel: 'performance_data', interval: 5 });
  await ask('subscribe', { interval: 60 });
  expect(mine().map(({ subscription }) => subscription.id)).toEqual(['60']);
  await ask('unsubscribe', {});
  expect(mine()).toEqual([]);
  expect((await ask('subscribe', { interval: 0 })).data.details).toMatchObject({ field: 'interval' });
  expect((await client.ask({ type: 'subscribe', channel: 'notifications', interval: 2 })).data.code).toBe(
    'VALIDATION_ERROR',
  );
  client.socket.terminate();
});

test('get_metrics answers with measurements, and with what else was asked for', async () => {
  const client = await platform.signIn(platform.user());
  const plain = await client.ask({ type: 'get_metrics', metrics: ['performance'] });
  expect(plain).toMatchObject({ type: 'performance_data', timestamp: expect.any(String) });
  expect(plain.data).toEqual(performance);
  const all = await client.ask({ type: 'get_metrics', metrics: ['performance', 'queue_status', 'system_health'] });
  expect(all.data).toMatchObject({
    ...performance,
    queue_status: { workers: { total: 4 } },
    system_health: {
      status: expect.any(String),
      checks: { websocket: { status: 'healthy' }, broker: { status: 'healthy' } },
    },
  });
  const wrong = await client.ask({ type: 'get_metrics', metrics: ['weather'] });
  expect(wrong.data).toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'metrics.0' } });
  client.socket.terminate();
});

test('when task-service is away, that is the answer', async () => {
  await using alone = await Platform.start({ metricsMs: 50 });
  const client = await alone.signIn(alone.user());
  await alone.stubs.stop(0);
  const refused = await client.ask({ type: 'subscribe', channel: 'queue_status' });
  expect(refused.data.code).toBe('SERVICE_UNAVAILABLE');
  const metrics = await client.ask({ type: 'get_metrics', metrics: ['performance'] });
  expect(metrics.data.code).toBe('SERVICE_UNAVAILABLE');
  client.socket.terminate();
});

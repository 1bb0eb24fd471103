import { createLogger } from '@claude-cli/shared/logger';
import { connectRedis } from '@claude-cli/shared/redis';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';
import { checkRedis } from './check-redis.ts';
import { formatBytes } from './get-system-info.ts';

let gateway: TestGateway | undefined;
afterEach(async () => gateway?.[Symbol.asyncDispose]());

describe('health', () => {
  test('is answered without any service', async () => {
    gateway = await startTestGateway();
    await gateway.stopServices();
    const { status, json } = await ask(gateway, 'GET', '/api/health/', { anonymous: true });
    expect(status).toBe(200);
    expect(json.data).toEqual({
      status: 'healthy',
      timestamp: expect.any(String),
      uptime: expect.any(Number),
      version: '1.0.0',
    });
  });

  test('in detail puts together what the services report', async () => {
    gateway = await startTestGateway();
    let asked = 0;
    gateway.answers.set('DiagnosticsService.diagnose', (_request, call) => {
      expect(call.caller.user_id).toBe('gateway');
      asked++;
      if (asked === 1) return { websocket: { status: 'healthy', active_connections: 25, avg_latency: 45.2 } };
      const connections = { active: 1, idle: 2, total: 3 };
      return { database: { status: 'healthy', response_time: asked, connections }, broker: { status: 'healthy' } };
    });
    const { json } = await ask(gateway, 'GET', '/api/health/detailed', { anonymous: true });
    expect(json.data.status).toBe('healthy');
    expect(json.data.checks).toEqual({
      database: { status: 'healthy', response_time: 5, connections: { active: 4, idle: 8, total: 12 } },
      redis: { status: 'not_configured', memory_usage: null, connected_clients: null },
      websocket: { status: 'healthy', active_connections: 25, avg_latency: 45.2 },
      broker: { status: 'healthy' },
      services: ['project-service', 'task-service', 'command-runner', 'realtime', 'webhook-dispatcher'].map((name) => ({
        name,
        status: 'healthy',
        response_time: expect.any(Number),
      })),
    });
    await ask(gateway, 'GET', '/api/health/detailed', { anonymous: true });
    expect(asked).toBe(5);
  });

  test.each([
    ['the broker is down', { broker: { status: 'unhealthy' } }, 'degraded'],
    ['the database is down', { database: { status: 'unhealthy' } }, 'unhealthy'],
  ])('in detail is told when %s', async (_what, change, status) => {
    gateway = await startTestGateway();
    gateway.answers.set('DiagnosticsService.diagnose', () => ({
      database: { status: 'healthy' },
      broker: { status: 'healthy' },
      websocket: { status: 'healthy', active_connections: 0, avg_latency: 0 },
      ...change,
    }));
    expect((await ask(gateway, 'GET', '/api/health/detailed')).json.data.status).toBe(status);
  });

  test('in detail is unhealthy, and answered in time, when no service answers', async () => {
    gateway = await startTestGateway();
    await gateway.stopServices();
    const { status, json } = await ask(gateway, 'GET', '/api/health/detailed');
    expect([status, json.data.status, json.data.checks.database]).toEqual([
      200,
      'unhealthy',
      { status: 'unhealthy', response_time: null, connections: { active: 0, idle: 0, total: 0 } },
    ]);
  });

  test('in detail tells how requests went', async () => {
    gateway = await startTestGateway();
    for (const path of ['/api/health', '/api/nothing']) await ask(gateway, 'GET', path);
    const { json } = await ask(gateway, 'GET', '/api/health/detailed');
    expect(json.data.metrics).toMatchObject({ requests_per_minute: 2, error_rate: 0 });
    expect(json.data.metrics.average_response_time).toBeGreaterThan(0);
  });
});

test('system information tells version, features and limits', async () => {
  gateway = await startTestGateway({ NODE_ENV: 'production' });
  const { json } = await ask(gateway, 'GET', '/api/system/info');
  expect(json.data).toEqual({
    version: '1.0.0',
    environment: 'production',
    features: { websocket_enabled: true, redis_enabled: false, monitoring_enabled: true },
    limits: { max_tasks_per_project: 1000, max_concurrent_tasks: 10, max_file_size: '10MB' },
  });
});

test.each([
  [0, '0B'],
  [1023, '1023B'],
  [1024, '1KB'],
  [47_395_635, '45.2MB'],
  [1024 ** 5 * 3, '3072TB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

describe('the check of Redis', () => {
  const info =
    '# Server\r\nredis_version:7\r\n# Clients\r\nconnected_clients:8\r\n# Memory\r\nused_memory:47395635\r\n';

  test('reads what INFO tells', async () => {
    expect(await checkRedis({ info: async () => info })).toEqual({
      status: 'healthy',
      memory_usage: '45.2MB',
      connected_clients: 8,
    });
  });

  test('is unhealthy when Redis says something else, or is not there', async () => {
    expect(await checkRedis({ info: async () => 'PONG' })).toEqual({ status: 'unhealthy' });
    await using away = connectRedis('redis://127.0.0.1:1', createLogger('test', 'silent'));
    expect(await checkRedis(away.client)).toEqual({ status: 'unhealthy' });
  });
});

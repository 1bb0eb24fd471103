import { expect, test } from '@jest/globals';
import { type Reference, time } from './reference.ts';

/** The system and its documents, as the API reference shows them. */
export function system(reference: () => Reference): void {
  test('tells how it is', async () => {
    const health = { status: 'healthy', timestamp: time, uptime: 3600, version: '1.0.0' };
    await reference().shows('GET', '/api/health/', undefined, 200, health);
    await reference().shows('GET', '/api/health/detailed', undefined, 200, {
      status: 'healthy',
      timestamp: time,
      checks: {
        database: { status: 'healthy', response_time: 15.5, connections: { active: 5, idle: 15, total: 20 } },
        redis: { status: 'healthy', memory_usage: '45.2MB', connected_clients: 8 },
        websocket: { status: 'healthy', active_connections: 25, avg_latency: 45.2 },
      },
      metrics: { requests_per_minute: 125, average_response_time: 250.5, error_rate: 0.02 },
    });
    await reference().shows('GET', '/api/system/info', undefined, 200, {
      version: '1.0.0',
      environment: 'production',
      features: { websocket_enabled: true, redis_enabled: true, monitoring_enabled: true },
      limits: { max_tasks_per_project: 1000, max_concurrent_tasks: 10, max_file_size: '10MB' },
    });
  });

  test('is documented', async () => {
    const { url } = reference().running.platform;
    const page = await fetch(`${url}/docs`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringMatching(/^text\/html/)]);
    for (const path of ['/openapi.json', '/docs/postman_collection.json', '/docs/insomnia_collection.json']) {
      const document = await fetch(url + path);
      expect([path, document.status]).toEqual([path, 200]);
      await document.json();
    }
  });
}

import { expect, test } from '@jest/globals';
import { WatchedGauge } from '../telemetry/metrics.ts';
import { startAdmin } from './admin.ts';

test('whoever operates a process is told that it lives, whether it is ready, and its metrics', async () => {
  let reasons: string[] = [];
  await using admin = await startAdmin('127.0.0.1', 0, async () => reasons);
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${admin.port}${path}`);
    return { status: response.status, text: await response.text() };
  };
  expect(await get('/livez')).toEqual({ status: 200, text: 'ok\n' });
  expect(await get('/readyz')).toEqual({ status: 200, text: 'ok\n' });
  reasons = ['the broker is not connected'];
  expect(await get('/readyz')).toEqual({ status: 503, text: 'the broker is not connected\n' });
  expect((await get('/metrics')).text).toContain('process_resident_memory_bytes');
  expect((await get('/')).status).toBe(404);

  // Nor does what fails to be read end it.
  await using _broken = new WatchedGauge('broken', 'h').watch(() => {
    throw new Error('no');
  });
  expect((await get('/metrics')).status).toBe(500);
  expect((await get('/livez')).status).toBe(200);
});

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { serviceNames } from '../scripts/platform/services.ts';
import { seededRandom } from './support/faults.ts';
import { Load } from './support/load.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { type Rolled, roll } from './support/roll.ts';

// A machine that starts twelve services beside the load may leave one without its turn for longer than it usually has.
const patience = { EXECUTION_LEASE_MS: '60000', SHUTDOWN_GRACE_MS: '40000' };
const settings = { WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true', WEBHOOK_RATE: '1000', ...patience };

let running: TestPlatform;

beforeAll(async () => {
  running = await startTestPlatform(settings, { replicas: 2 });
});
afterAll(async () => running?.[Symbol.asyncDispose]());

test('every replica of every service is replaced under load: no call fails, no event is lost, every run is done once', async () => {
  await using load = await Load.start(running, {
    ...{ executions: 3, reads: 10, watchers: 3, longestRun: 1.5, random: seededRandom(7) },
  });
  const took: Record<string, Rolled[]> = {};
  for (const service of serviceNames) took[service] = await roll(running.platform, service);
  const { wrong, ...report } = await load.finish(90_000);
  process.stdout.write(`${JSON.stringify({ ...report, took })}\n`);
  expect(wrong.slice(0, 20)).toEqual([]);
  expect(report.executions).toBeGreaterThan(20);
  expect(report.webhooks).toBeGreaterThanOrEqual(2 * report.executions);
  // Watchers were led to other replicas, so that they had something to miss.
  expect(Object.values(report.closed).reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(3);
}, 900_000);

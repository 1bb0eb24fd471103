import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '@claude-cli/shared/testing/free-port';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

const isThere = spawnSync('redis-server', ['--version']).status === 0;
if (!isThere) process.stderr.write('no redis-server on this machine: counting across gateways is not tested\n');

const gateways: TestGateway[] = [];
let redis: ChildProcess | undefined;

afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway[Symbol.asyncDispose]();
  redis?.kill('SIGKILL');
});

async function startRedis(port: number): Promise<void> {
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  redis = spawn('redis-server', options, { stdio: 'ignore' });
  await once(redis, 'spawn');
}

async function startGateways(port: number): Promise<void> {
  for (let n = 0; n < 2; n++) {
    gateways.push(await startTestGateway({ REDIS_URL: `redis://127.0.0.1:${port}`, RATE_LIMIT_USER: '1000' }));
  }
}

const isHealthy = async (gateway: TestGateway) =>
  (await ask(gateway, 'GET', '/api/health/detailed')).json.data.checks.redis.status === 'healthy';

async function remainingAt(gateway: TestGateway | undefined): Promise<number> {
  if (!gateway) throw new Error('no gateway');
  const { status, headers } = await ask(gateway, 'GET', '/api/tasks/');
  expect(status).toBe(200);
  return Number(headers.get('x-ratelimit-remaining'));
}

(isThere ? describe : describe.skip)('gateways with one Redis', () => {
  test('count together, each for itself while Redis is away, and together again afterwards', async () => {
    const port = await freePort();
    await startRedis(port);
    await startGateways(port);
    for (const gateway of gateways) await until('Redis is connected', () => isHealthy(gateway));
    const [one, two] = gateways;
    const seen = [await remainingAt(one), await remainingAt(two), await remainingAt(one)];
    expect(seen).toEqual([999, 998, 997]);

    redis?.kill('SIGKILL');
    for (const gateway of gateways) await until('Redis is missed', async () => !(await isHealthy(gateway)));
    const alone = [await remainingAt(one), await remainingAt(two)];
    expect(alone[0]).toBe(alone[1]);

    await startRedis(port);
    for (const gateway of gateways) await until('Redis is back', () => isHealthy(gateway));
    const again = [await remainingAt(one), await remainingAt(two)];
    expect(again).toEqual([999, 998]);
  });
});

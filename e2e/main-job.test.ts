import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { runMainJob } from '../scripts/main-job.ts';
import { root } from '../scripts/platform/paths.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';

let running: TestPlatform;

beforeAll(async () => {
  running = await startTestPlatform();
});
afterAll(async () => running?.[Symbol.asyncDispose]());

test('a task is created, executed and watched live, a webhook tells of it, and everything about it can be read back', async () => {
  const { url, adminUsername, adminPassword } = running.platform;
  const lines: string[] = [];
  const result = await runMainJob({
    url,
    username: adminUsername,
    password: adminPassword,
    tree: root,
    webhooks: true,
    say: (line) => lines.push(line),
  });
  expect(result.output).toContain('apps/gateway');
  expect(result.output).toMatch(/total +\d+ files +\d+ lines\n$/);
  expect(result.outputMessages).toBeGreaterThan(3);
  expect(lines.filter((line) => line.includes('✓'))).toHaveLength(15);
});

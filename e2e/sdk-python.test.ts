import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { root } from '../scripts/platform/paths.ts';
import { poll } from '../scripts/platform/poll.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { pythonWith } from './support/python.ts';
import { readmeExamples } from './support/readme.ts';
import { readersValues } from './support/sdk-reader.ts';
import { watchExample } from './support/watch-example.ts';

const sdk = join(root, 'sdks/python');
const python = pythonWith(['httpx', 'websockets', 'pytest']);

let running: TestPlatform;

beforeAll(async () => {
  if (python) running = await startTestPlatform();
  else process.stderr.write('no python3 with httpx, websockets and pytest here: the Python SDK is not tested\n');
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const whereThereIsPython = python ? test : test.skip;

whereThereIsPython(
  'the Python SDK passes its tests against the platform, also while the door and realtime are restarted',
  async () => {
    const { platform, scratch } = running;
    const restart = join(scratch, 'restart');
    const env = {
      ...process.env,
      PYTHONDONTWRITEBYTECODE: '1',
      CLAUDE_CLI_URL: platform.url,
      CLAUDE_CLI_USERNAME: platform.adminUsername,
      CLAUDE_CLI_PASSWORD: platform.adminPassword,
      CLAUDE_CLI_RESTART: restart,
    };
    const pytest = spawn(String(python), ['-m', 'pytest', '-q', '-p', 'no:cacheprovider', 'tests'], { cwd: sdk, env });
    let told = '';
    pytest.stdout.on('data', (data) => (told += data));
    pytest.stderr.on('data', (data) => (told += data));
    const ended = new Promise((resolve) => pytest.once('close', resolve));
    await poll(() => existsSync(restart) || pytest.exitCode !== null || undefined, { timeoutMs: 150_000 });
    if (existsSync(restart)) {
      platform.kill('realtime');
      platform.kill('gateway');
    }
    await ended;
    // With the whole text, so that a failure shows what failed.
    expect(told).toMatch(/\n\d+ passed in/);
    expect(pytest.exitCode).toBe(0);
  },
  240_000,
);

whereThereIsPython(
  "the README's example in Python works as it stands",
  async () => {
    // It was killed before.
    await running.platform.ready('gateway');
    const values = await readersValues(running);
    const [example = 'raise SystemExit("no example")', ...others] = readmeExamples('python', values);
    expect(others).toEqual([]);
    const env = { PYTHONPATH: sdk, PYTHONDONTWRITEBYTECODE: '1' };
    const told = await watchExample(String(python), ['-u', '-c', example], running.admin, values.projectId, env);
    expect(told).toMatch(/^Task [0-9a-f-]{36} updated: completed$/m);
  },
  90_000,
);

import { spawn } from 'node:child_process';
import type { ApiClient } from '../../scripts/api-client.ts';
import { poll } from '../../scripts/platform/poll.ts';
import { createTask, execute } from './tasks.ts';

/**
 * Run an example that watches a project for ever, until it has told that a task there was completed, or ended by itself.
 * @returns what it told
 */
export async function watchExample(
  program: string,
  args: string[],
  api: ApiClient,
  projectId: string,
  env: Record<string, string> = {},
): Promise<string> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  let told = '';
  child.stdout.on('data', (data) => (told += data));
  child.stderr.on('data', (data) => (told += data));
  const over = () => told.includes('completed') || child.exitCode !== null;
  try {
    // The example does not say when it has subscribed: there is something to see every second until it has seen it.
    for (let tries = 0; tries < 30 && !over(); tries++) {
      await execute(api, await createTask(api, projectId, 'true'));
      await poll(() => over() || undefined, { timeoutMs: 1_000 });
    }
  } finally {
    child.kill('SIGKILL');
  }
  return told;
}

import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LiveConnection } from '../scripts/live-connection.ts';
import { makeTempDir } from '../scripts/platform/temp-dir.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createProject, endedCommand, execute, taskWithStatus, textOf } from './support/tasks.ts';

// A stand-in for the Claude CLI that plays recorded streams: the prompt says which one.
const fake = join(import.meta.dirname, '../apps/command-runner/src/agent/testing/fake-claude.ts');
const bin = makeTempDir();
const binary = join(bin.path, 'claude');

let running: TestPlatform;
let projectId: string;

function install(): void {
  writeFileSync(binary, `#!/bin/sh\nexec '${process.execPath}' '${fake}' "$@"\n`);
  chmodSync(binary, 0o755);
}

beforeAll(async () => {
  install();
  running = await startTestPlatform({ PATH: `${bin.path}${delimiter}${process.env.PATH}`, CLAUDE_BINARY: 'claude' });
  projectId = await createProject(running.admin);
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  bin[Symbol.dispose]();
});

interface Execution {
  status: string;
  error: string | null;
  attempt: number;
  agent: Record<string, unknown> | null;
}

const executionOf = (taskId: string) => running.admin.call<Execution>('GET', `/api/tasks/${taskId}/execution`);

async function agentTask(title: string): Promise<string> {
  const body = { title, project_id: projectId };
  return (await running.admin.call<{ id: string }>('POST', '/api/tasks/', body)).id;
}

test('the agent works as its project says, and what it did, cost and said is there to read', async () => {
  const { admin } = running;
  const agent = { permission_mode: 'plan', max_turns: 5, model: '--version' };
  await admin.call('PUT', `/api/projects/${projectId}`, { settings: { agent } });
  const taskId = await agentTask('success args');
  const { execution_id } = await execute(admin, taskId);
  await taskWithStatus(admin, taskId, ['completed']);
  const output = textOf(await endedCommand(admin, execution_id));
  expect(output).toContain('I will look – déjà vu 🙂\n');
  expect(output).toContain('[tool] Bash: ls -la /tmp\n');
  expect(output).toContain('agent.model must be the name of a model');
  expect(output).toContain('"--permission-mode","plan","--max-turns","5"]');
  expect(output).not.toContain('--version');
  expect(await executionOf(taskId)).toMatchObject({
    status: 'completed',
    agent: { result: 'All done.', cost_usd: 0.25, turns: 4, session_id: '5e55-1', tokens: { input: 14, output: 54 } },
  });
  const { statistics } = await admin.call<{ statistics: object }>('GET', `/api/projects/${projectId}`);
  expect(statistics).toMatchObject({ agent_runs: 1, agent_cost_usd: 0.25 });
});

test('the agent goes on with its conversation when that is asked for', async () => {
  const { admin } = running;
  const taskId = await agentTask('success args resume');
  await execute(admin, taskId);
  await taskWithStatus(admin, taskId, ['completed']);
  const { execution_id } = await execute(admin, taskId, { resume: true });
  expect(textOf(await endedCommand(admin, execution_id, 20_000))).toContain('"--resume","5e55-1"]');
});

test('an agent that is not installed is told with the name of the program and exit code 127', async () => {
  const { admin, platform } = running;
  rmSync(binary);
  using _ = { [Symbol.dispose]: install };
  const session = await admin.call<{ session_id: string }>('POST', '/api/sessions/', {});
  using live = await LiveConnection.open(platform.url, session.session_id);
  await live.authenticate(String(admin.token));
  await live.subscribe('task_updates', projectId);
  const taskId = await agentTask('success');
  await execute(admin, taskId);
  const failed = await live.next({ type: 'error', where: ({ data }) => data?.task_id === taskId, timeoutMs: 60_000 });
  expect(failed.data).toMatchObject({
    code: 'TASK_EXECUTION_FAILED',
    details: { error: 'Command not found: claude', exit_code: 127 },
  });
});

// The last one: afterwards the runner takes no agent work for a while.
test('an agent that meets the limit of its account waits for it, while commands go on', async () => {
  const { admin } = running;
  const taskId = await agentTask('limited');
  const { execution_id } = await execute(admin, taskId, { timeout: 60 });
  expect(textOf(await endedCommand(admin, execution_id, 20_000))).toContain('[agent] its usage limit is reached until');
  const body = { title: 'Go on', project_id: projectId, command: 'true' };
  const { id } = await admin.call<{ id: string }>('POST', '/api/tasks/', body);
  await execute(admin, id);
  await taskWithStatus(admin, id, ['completed']);
  expect(await executionOf(taskId)).toMatchObject({ attempt: 1, status: expect.stringMatching(/queued|running/) });
  await admin.call('POST', `/api/tasks/${taskId}/cancel`, {});
  await taskWithStatus(admin, taskId, ['cancelled']);
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { shellQuote } from '../scripts/source-report.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import {
  createProject,
  createTask,
  endedCommand,
  execute,
  pidsIn,
  type Queued,
  stillRunning,
  taskWithStatus,
  textOf,
  writingCommand,
} from './support/tasks.ts';

const outputLimit = 16_384;

let running: TestPlatform;
let projectId: string;

beforeAll(async () => {
  running = await startTestPlatform({ OUTPUT_LIMIT_BYTES: String(outputLimit) });
  projectId = await createProject(running.admin);
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const newTask = (command: string) => createTask(running.admin, projectId, command);

/** A command that notes its own process and a child's, and would run for minutes. */
const longCommand = (pidFile: string) =>
  `sleep 300 & echo $$ > ${shellQuote(pidFile)}; echo $! >> ${shellQuote(pidFile)}; wait`;

test('the exit code, both streams and their order of a command are kept', async () => {
  const { admin, scratch } = running;
  const isRead = join(scratch, 'first-is-read');
  const wait = `until [ -e ${shellQuote(isRead)} ]; do sleep 0.1; done`;
  const taskId = await newTask(`echo out; ${wait}; echo err >&2; exit 3`);
  const { execution_id } = await execute(admin, taskId);
  await writingCommand(admin, execution_id);
  writeFileSync(isRead, '');
  await taskWithStatus(admin, taskId, ['failed']);
  const command = await endedCommand(admin, execution_id);
  expect(command).toMatchObject({ status: 'failed', exit_code: 3, output_truncated: false });
  const written = command.output.filter(({ stream }) => stream !== 'system');
  expect(written.map(({ stream, content }) => [stream, content])).toEqual([
    ['stdout', 'out\n'],
    ['stderr', 'err\n'],
  ]);
});

test('of two executes that race, one is queued and one is told that the task runs already', async () => {
  const { admin, scratch } = running;
  const answered = join(scratch, 'both-answered');
  const taskId = await newTask(`until [ -e ${shellQuote(answered)} ]; do sleep 0.1; done`);
  const answers = await Promise.all([1, 2].map(() => admin.request('POST', `/api/tasks/${taskId}/execute`, {})));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  writeFileSync(answered, '');
  const refused = answers.find(({ status }) => status === 409);
  expect(refused?.body.error?.code).toBe('TASK_ALREADY_RUNNING');
  await taskWithStatus(admin, taskId, ['completed']);
});

describe('stopping', () => {
  test('cancelling a task that runs ends it with everything that it started', async () => {
    const { admin, scratch } = running;
    const pidFile = join(scratch, 'cancelled');
    const taskId = await newTask(longCommand(pidFile));
    const { execution_id } = await execute(admin, taskId);
    const pids = await pidsIn(pidFile, 2);
    const answer = await admin.call('POST', `/api/tasks/${taskId}/cancel`, { reason: 'Enough' });
    expect(answer).toMatchObject({ task_id: taskId, status: 'cancelled', reason: 'Enough' });
    expect(await stillRunning(pids)).toEqual([]);
    expect((await taskWithStatus(admin, taskId, ['cancelled'])).completed_at).not.toBeNull();
    expect((await endedCommand(admin, execution_id)).status).toBe('cancelled');
  });

  test('a process that ignores being asked is killed', async () => {
    const { admin, scratch } = running;
    const pidFile = join(scratch, 'stubborn');
    const taskId = await newTask(`trap '' TERM; echo $$ > ${shellQuote(pidFile)}; while :; do sleep 1; done`);
    await execute(admin, taskId);
    const pids = await pidsIn(pidFile, 1);
    await admin.call('POST', `/api/tasks/${taskId}/cancel`, {});
    expect(await stillRunning(pids, 20_000)).toEqual([]);
  });

  test('a run that takes longer than its timeout is stopped and has failed', async () => {
    const { admin, scratch } = running;
    const pidFile = join(scratch, 'timed-out');
    const taskId = await newTask(longCommand(pidFile));
    const { execution_id } = await execute(admin, taskId, { timeout: 1 });
    const pids = await pidsIn(pidFile, 2);
    await taskWithStatus(admin, taskId, ['failed']);
    expect((await endedCommand(admin, execution_id)).status).toBe('timed_out');
    expect(await stillRunning(pids)).toEqual([]);
  });
});

describe('trying again', () => {
  test('a failed task is retried by hand', async () => {
    const { admin, scratch } = running;
    const marker = shellQuote(join(scratch, 'second-time'));
    const taskId = await newTask(`if [ -e ${marker} ]; then echo mended; else touch ${marker}; exit 1; fi`);
    const first = await execute(admin, taskId);
    await taskWithStatus(admin, taskId, ['failed']);
    const second = await admin.call<Queued & { retry_attempt: number }>('POST', `/api/tasks/${taskId}/retry`);
    expect(second).toMatchObject({ task_id: taskId, status: 'queued', retry_attempt: 2 });
    expect(second.execution_id).not.toBe(first.execution_id);
    await taskWithStatus(admin, taskId, ['completed']);
    expect(textOf(await endedCommand(admin, second.execution_id))).toBe('mended\n');
  });

  test('a failed run is tried again by itself as often as was asked for', async () => {
    const { admin, scratch } = running;
    const marker = shellQuote(join(scratch, 'by-itself'));
    const taskId = await newTask(`if [ -e ${marker} ]; then echo mended; else touch ${marker}; exit 1; fi`);
    await execute(admin, taskId, { retry_attempts: 1 });
    await taskWithStatus(admin, taskId, ['completed'], 30_000);
  });

  test('a task that was completed cannot be retried', async () => {
    const { admin } = running;
    const taskId = await newTask('true');
    await execute(admin, taskId);
    await taskWithStatus(admin, taskId, ['completed']);
    expect((await admin.request('POST', `/api/tasks/${taskId}/retry`)).status).toBe(409);
  });
});

test('of more output than is kept the first and the last part are there, and the gap is marked', async () => {
  const { admin } = running;
  const taskId = await newTask(`echo first; seq 1 ${outputLimit}; echo last`);
  const { execution_id } = await execute(admin, taskId);
  await taskWithStatus(admin, taskId, ['completed']);
  const command = await endedCommand(admin, execution_id);
  const text = textOf(command);
  expect(command.output_truncated).toBe(true);
  expect(text.startsWith('first\n')).toBe(true);
  expect(text.trimEnd().endsWith('last')).toBe(true);
  expect(text.length).toBeLessThan(outputLimit * 2);
});

test('a direct command runs beside the queues and is stopped by its id', async () => {
  const { admin } = running;
  const { command_id } = await admin.call<{ command_id: string }>('POST', '/api/commands/execute', {
    command: 'sleep 300',
  });
  expect(await admin.call('GET', '/api/commands/running')).toMatchObject({
    commands: [{ command_id }],
    total_running: 1,
  });
  const cancelled = await admin.call('POST', `/api/commands/${command_id}/cancel`);
  expect(cancelled).toMatchObject({ command_id, status: 'cancelled', exit_code: -15 });
  expect((await endedCommand(admin, command_id)).status).toBe('cancelled');
});

test('a task that waits for another one is not executed before', async () => {
  const { admin } = running;
  const first = await newTask('true');
  const body = {
    title: 'Second',
    project_id: projectId,
    command: 'true',
    dependencies: [{ depends_on_task_id: first }],
  };
  const { id } = await admin.call<{ id: string }>('POST', '/api/tasks/', body);
  const early = await admin.request('POST', `/api/tasks/${id}/execute`, {});
  expect({ status: early.status, code: early.body.error?.code }).toEqual({
    status: 409,
    code: 'TASK_DEPENDENCY_NOT_MET',
  });
  await execute(admin, first);
  await taskWithStatus(admin, first, ['completed']);
  await execute(admin, id);
  await taskWithStatus(admin, id, ['completed']);
});

test('a command sees nothing of our secrets', async () => {
  const { admin, platform, jwtSecret } = running;
  const taskId = await newTask('env');
  const { execution_id } = await execute(admin, taskId);
  await taskWithStatus(admin, taskId, ['completed']);
  const text = textOf(await endedCommand(admin, execution_id));
  expect(text).toContain('PATH=');
  for (const secret of [jwtSecret, platform.adminPassword, 'MONGODB_URI', 'AMQP_URL'])
    expect(text).not.toContain(secret);
});

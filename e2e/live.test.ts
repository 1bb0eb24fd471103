import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket as LowLevelSocket } from 'ws';
import { LiveConnection } from '../scripts/live-connection.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createProject, createTask, execute } from './support/tasks.ts';
import { forgeToken } from './support/token.ts';
import { createUser } from './support/users.ts';

let running: TestPlatform;
let projectId: string;
let sessionId: string;

beforeAll(async () => {
  running = await startTestPlatform();
  projectId = await createProject(running.admin);
  sessionId = await openSession();
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const connect = () => LiveConnection.open(running.platform.url, sessionId);
const token = () => String(running.admin.token);

async function openSession(): Promise<string> {
  return (await running.admin.call<{ session_id: string }>('POST', '/api/sessions/', {})).session_id;
}

describe('signing in', () => {
  test('an unknown token closes the connection with 4401', async () => {
    using live = await connect();
    live.send({ type: 'authenticate', token: forgeToken('a secret that is not the one of this platform') });
    expect((await live.closed()).code).toBe(4401);
  });

  test('nothing may be asked for before', async () => {
    using live = await connect();
    live.send({ type: 'subscribe', channel: 'task_updates', project_id: projectId });
    const [first] = await Promise.allSettled([live.next({ type: 'subscribed', timeoutMs: 3_000 })]);
    expect(first?.status).toBe('rejected');
  });

  test("another user's session is refused", async () => {
    using live = await connect();
    const { api } = await createUser(running);
    live.send({ type: 'authenticate', token: String(api.token) });
    const error = await live.next({ type: 'error' });
    expect(error.data?.code).toBe('RESOURCE_NOT_FOUND');
    expect((await live.closed()).code).toBe(4403);
  });

  test('a session that does not exist is refused', async () => {
    using live = await LiveConnection.open(running.platform.url, '018f0000-0000-7000-8000-000000000000');
    live.send({ type: 'authenticate', token: token() });
    expect((await live.closed()).code).toBe(4403);
  });
});

describe('messages', () => {
  test('a ping is answered with its own timestamp', async () => {
    using live = await connect();
    await live.authenticate(token());
    live.send({ type: 'ping', timestamp: 1690725600000 });
    expect(await live.next({ type: 'pong' })).toEqual({ type: 'pong', timestamp: 1690725600000 });
  });

  test('what cannot be understood is answered with an error, and the connection stays', async () => {
    using live = await connect();
    await live.authenticate(token());
    for (const message of ['{', '[]', '{"type":"nonsense"}', '{"type":"subscribe","channel":"nonsense"}']) {
      live.send(message);
      expect((await live.next({ type: 'error' })).data?.code).toMatch(/^VALIDATION_/);
    }
    live.send({ type: 'ping', timestamp: 1 });
    await live.next({ type: 'pong' });
  });

  test('a task is executed by message, and its updates come in order', async () => {
    using live = await connect();
    await live.authenticate(token());
    await live.subscribe('task_updates', projectId);
    const taskId = await createTask(running.admin, projectId, 'echo hello');
    live.send({ type: 'execute_task', task_id: taskId, priority: 'high' });
    const statuses: unknown[] = [];
    const completed = await live.next({
      type: 'task_completed',
      where: ({ data }) => data?.task_id === taskId,
      onOther: ({ type, data }) => {
        if (type === 'task_update' && data?.task_id === taskId) statuses.push(data.status);
      },
      timeoutMs: 60_000,
    });
    expect(completed.data).toMatchObject({
      status: 'completed',
      exit_code: 0,
      duration: expect.stringMatching(/^00:00:/),
    });
    expect(statuses.filter((status, index) => status !== statuses[index - 1])).toEqual([
      'pending',
      'running',
      'completed',
    ]);
  });

  test('a failure is told with its exit code', async () => {
    using live = await connect();
    await live.authenticate(token());
    await live.subscribe('task_updates', projectId);
    const taskId = await createTask(running.admin, projectId, 'no-such-command-anywhere');
    await execute(running.admin, taskId);
    const failed = await live.next({ type: 'error', where: ({ data }) => data?.task_id === taskId, timeoutMs: 60_000 });
    expect(failed.data).toMatchObject({ code: 'TASK_EXECUTION_FAILED', details: { exit_code: 127 } });
  });

  test("what happens in a project that was not asked for is not told, nor are other people's projects", async () => {
    const other = await createProject(running.admin);
    using live = await connect();
    await live.authenticate(token());
    await live.subscribe('task_updates', projectId);
    const theirs = await createTask(running.admin, other, 'true');
    const ours = await createTask(running.admin, projectId, 'true');
    const told: unknown[] = [];
    await live.next({
      type: 'task_update',
      where: ({ data }) => data?.task_id === ours,
      onOther: ({ data }) => told.push(data?.task_id),
    });
    expect(told).not.toContain(theirs);
  });
});

test('an address that is no session is refused before the connection is made', async () => {
  const socket = new LowLevelSocket(`${running.platform.url.replace('http', 'ws')}/ws/not-a-uuid`);
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
  socket.on('error', () => {});
  socket.on('close', (code) => resolve(code));
  const answered = await promise;
  socket.terminate();
  expect([400, 404, 422, 4404]).toContain(answered);
});

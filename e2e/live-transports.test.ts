import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { io } from 'socket.io-client';
import { root } from '../scripts/platform/paths.ts';
import { poll } from '../scripts/platform/poll.ts';
import { isEventStream } from './support/event-stream.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { examplesIn, filledIn, type Placeholders } from './support/readme.ts';
import { readersValues } from './support/sdk-reader.ts';
import { type Command, createTask, endedCommand } from './support/tasks.ts';
import { forgeToken } from './support/token.ts';
import { watchExample } from './support/watch-example.ts';

const run = promisify(execFile);

let running: TestPlatform;
let values: Placeholders;

beforeAll(async () => {
  running = await startTestPlatform();
  const command = { command: 'echo one; echo two' };
  const { command_id } = await running.admin.call<Command>('POST', '/api/commands/execute', command);
  await endedCommand(running.admin, command_id);
  values = { ...(await readersValues(running)), commandId: command_id };
});
afterAll(async () => running?.[Symbol.asyncDispose]());

function openStream(path: string, headers: Record<string, string> = {}): Promise<Response> {
  const authorization = `Bearer ${running.admin.token}`;
  return fetch(running.platform.url + path, { headers: { authorization, ...headers } });
}

/** What a stream tells, event by event, without ids. */
async function* eventsOf(response: Response): AsyncGenerator<{ id: string | undefined; event: string; data: Told }> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    held += decoder.decode(chunk, { stream: true });
    const blocks = held.split('\n\n');
    held = blocks.pop() ?? '';
    for (const block of blocks) {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
      const [event, data] = [field('event'), field('data')];
      if (event !== undefined && data !== undefined) yield { id: field('id'), event, data: JSON.parse(data).data };
    }
  }
}

type Told = Record<string, unknown>;

/** The first news of a task, past what is told late of others. */
async function newsOf(task_id: string, events: ReturnType<typeof eventsOf>) {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error('the stream has ended');
    if (value.data.task_id === task_id) return value;
  }
}

describe('event streams through the door', () => {
  test('tell what happens, and after a restart of realtime what was missed', async () => {
    const path = `/api/events/stream?channel=task_updates&project_id=${values.projectId}`;
    const before = eventsOf(await openStream(path));
    expect((await before.next()).value?.event).toBe('subscribed');
    const first = await createTask(running.admin, values.projectId, 'true');
    const told = await newsOf(first, before);
    expect(told.event).toBe('task_update');
    running.platform.kill('realtime');
    expect((await before.next()).done).toBe(true);
    const missed = await createTask(running.admin, values.projectId, 'true');
    let response = await openStream(path, { 'last-event-id': String(told.id) });
    const opened = async () => {
      if (!isEventStream(response)) response = await openStream(path, { 'last-event-id': String(told.id) });
      return isEventStream(response) || undefined;
    };
    await poll(opened, { timeoutMs: 60_000 });
    const after = eventsOf(response);
    expect((await after.next()).value?.data).toMatchObject({ recovered: true });
    expect(await newsOf(missed, after)).toMatchObject({ event: 'task_update' });
    await after.return(undefined);
  });

  test('are for those who may see it', async () => {
    const wrong = forgeToken('a secret that is not the one of this platform');
    const path = '/api/events/stream?channel=notifications';
    const refused = await openStream(path, { authorization: `Bearer ${wrong}` });
    expect([refused.status, isEventStream(refused)]).toEqual([401, false]);
    const unknown = await openStream(
      '/api/events/stream?channel=task_updates&project_id=018f0000-0000-7000-8000-000000000000',
    );
    expect(unknown.status).toBe(404);
    expect((await openStream('/api/events/stream?channel=task_updates')).status).toBe(422);
  });
});

test('Socket.IO goes through the door, as WebSockets do', async () => {
  const auth = { token: running.admin.token, session_id: values.sessionId };
  const socket = io(running.platform.url, { transports: ['websocket'], auth, forceNew: true });
  const ask = (event: string, payload: object): Promise<{ type: string; data: Told }> =>
    socket.timeout(20_000).emitWithAck(event, payload);
  const subscribed = await ask('subscribe', { channel: 'task_updates', project_id: values.projectId });
  expect(subscribed).toMatchObject({ type: 'subscribed', data: { project_id: values.projectId } });
  const completed = new Promise<{ data: Told }>((resolve) => socket.once('task_completed', resolve));
  const task_id = await createTask(running.admin, values.projectId, 'true');
  expect((await ask('execute_task', { task_id, priority: 'high' })).type).toBe('task_queued');
  expect((await completed).data).toMatchObject({ task_id, status: 'completed', exit_code: 0 });
  expect((await ask('get_metrics', { metrics: ['performance', 'system_health'] })).data).toMatchObject({
    queue_sizes: { high: expect.any(Number) },
    system_health: { status: expect.any(String), checks: { services: expect.any(Array) } },
  });
  socket.disconnect();
});

describe('the examples of docs/realtime.md', () => {
  const examples = (section: string, language: string) =>
    examplesIn('docs/realtime.md', section, language).map((code) => filledIn(code, values));

  test('for curl work as they stand', async () => {
    const [watching = 'exit 1', command = 'exit 1'] = examples('Server-sent events', 'sh');
    const { stdout } = await run('sh', ['-ec', command]);
    expect(stdout).toMatch(/event: subscribed\n.*event: command_output\n.*one.*event: command_finished\n/s);
    const told = await watchExample('sh', ['-ec', `exec ${watching}`], running.admin, values.projectId);
    expect(told).toContain('event: task_update\n');
  });

  test('for Socket.IO works as it stands', async () => {
    const [code = 'process.exit(1)', ...others] = examples('Socket.IO', 'js');
    expect(others).toEqual([]);
    // Below the packages that it imports.
    const folder = mkdtempSync(join(root, 'node_modules/.example-'));
    const file = join(folder, 'example.mjs');
    writeFileSync(file, code);
    const told = await watchExample(process.execPath, [file], running.admin, values.projectId);
    rmSync(folder, { recursive: true });
    expect(told).toMatch(/Task [0-9a-f-]{36} updated: completed/);
  });
});

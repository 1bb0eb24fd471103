import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ClaudeCliClient } from '../packages/sdk/src/client.ts';
import { isApiError } from '../packages/sdk/src/errors.ts';
import { root } from '../scripts/platform/paths.ts';
import { poll } from '../scripts/platform/poll.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { readmeExamples } from './support/readme.ts';
import { installSdk, type SdkProject } from './support/sdk-package.ts';
import { readersValues } from './support/sdk-reader.ts';
import { createTask, taskWithStatus } from './support/tasks.ts';
import { watchExample } from './support/watch-example.ts';

const run = promisify(execFile);

let running: TestPlatform;
let client: ClaudeCliClient;
let projectId: string;
let project: SdkProject;

beforeAll(async () => {
  running = await startTestPlatform();
  const { url, adminUsername: username, adminPassword: password } = running.platform;
  client = new ClaudeCliClient({ baseURL: `${url}/api`, credentials: { username, password } });
  projectId = (await client.projects.create({ name: 'SDK' })).id;
  project = await installSdk();
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await project?.[Symbol.asyncDispose]();
});

describe('calls', () => {
  test('a task is created, read, changed and deleted in camel case, with its metadata as it is', async () => {
    const metadata = { some_key: { inner_key: 1 }, otherKey: ['a_b'] };
    const created = await client.tasks.create({ title: 'One', projectId, estimatedDuration: '00:10:00', metadata });
    expect(created).toMatchObject({ projectId, estimatedDuration: '00:10:00', metadata, progressPercentage: 0 });
    const changed = await client.tasks.update(created.id, { progressPercentage: 40, status: 'running' });
    expect(changed).toMatchObject({ status: 'running', progressPercentage: 40, metadata });
    expect((await client.tasks.get(created.id)).history.length).toBeGreaterThan(0);
    expect((await client.tasks.history(created.id)).history[0]).toMatchObject({ userName: expect.any(String) });
    const bulk = { operation: 'add_tags', taskIds: [created.id], data: { tags: ['x'] } } as const;
    expect(await client.tasks.bulk(bulk)).toMatchObject({ affectedCount: 1 });
    expect((await client.tasks.delete(created.id)).deletedAt).toMatch(/^20/);
  });

  test('a refusal is an error with code, status, details and request id', async () => {
    const wrong = client.tasks.create({ title: '', projectId }, { requestId: 'sdk-request-1' });
    await expect(wrong).rejects.toMatchObject({
      name: 'ApiError',
      code: expect.stringMatching(/^VALIDATION_/),
      status: 422,
      details: { field: 'title' },
      requestId: 'sdk-request-1',
    });
    const missing = client.tasks.get(projectId).catch((thrown) => isApiError(thrown, 'TASK_NOT_FOUND'));
    expect(await missing).toBe(true);
  });

  test('all pages of a list are walked through', async () => {
    const tags = ['paged'];
    const titles = ['a', 'b', 'c', 'd', 'e'];
    for (const title of titles) await client.tasks.create({ title, projectId, tags });
    const seen: string[] = [];
    for await (const { title } of client.tasks.iterate({ tags, sort: 'title', order: 'asc', pageSize: 2 }))
      seen.push(title);
    expect(seen).toEqual(titles);
  });

  test('go on while the door is killed and comes back, and are done once', async () => {
    const before = running.platform.pid('gateway');
    running.platform.kill('gateway');
    const patient = { attempts: 30, totalMs: 40_000, mostMs: 1_000 };
    const { url } = running.platform;
    const stubborn = new ClaudeCliClient({
      baseURL: `${url}/api`,
      token: String(running.admin.token),
      retries: patient,
    });
    const tags = ['once'];
    await stubborn.tasks.create({ title: 'In spite of all', projectId, tags });
    expect((await stubborn.tasks.list({ tags })).total).toBe(1);
    expect(running.platform.pid('gateway')).not.toBe(before);
    await running.platform.ready('gateway');
  });
});

describe('live', () => {
  test('updates of a task come in order, also after the connection was lost', async () => {
    const { sessionId } = await client.sessions.create({});
    const ws = client.websocket.connect(sessionId);
    const statuses: string[] = [];
    const reconnected = new Promise((resolve) => ws.on('reconnected', resolve));
    ws.on('task_update', ({ taskId, status }) => statuses.push(`${taskId} ${status}`));
    await ws.subscribe('task_updates', { projectId });
    running.platform.kill('realtime');
    await reconnected;
    const taskId = await createTask(running.admin, projectId, 'echo hello');
    const ended = new Promise((resolve) => ws.on('task_completed', resolve));
    expect(await ws.executeTask(taskId, { priority: 'high', options: { retryAttempts: 1 } })).toMatchObject({ taskId });
    expect(await ended).toMatchObject({ taskId, exitCode: 0 });
    const own = statuses.filter((line) => line.startsWith(taskId)).map((line) => line.split(' ')[1]);
    expect(own.filter((status, index) => status !== own[index - 1])).toEqual(['pending', 'running', 'completed']);
    expect(await ws.ping()).toBeGreaterThan(0);
    await expect(ws.subscribe('nonsense')).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
    ws.close();
    await expect(ws.ping()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
  });

  test('what happened while the connection was lost is told afterwards, once', async () => {
    const { sessionId } = await client.sessions.create({});
    const ws = client.websocket.connect(sessionId);
    const heard: string[] = [];
    const reloads: unknown[] = [];
    ws.on('task_update', ({ taskId }) => heard.push(taskId));
    ws.on('reload', (what) => reloads.push(what));
    await ws.subscribe('task_updates', { projectId });
    await ws.subscribe('project_updates', { projectId });
    const created = [await createTask(running.admin, projectId, 'true')];
    await poll(() => heard.length === 1 || undefined, { timeoutMs: 60_000 });
    const reconnected = new Promise((resolve) => ws.on('reconnected', resolve));
    running.platform.kill('realtime');
    for (let n = 0; n < 5; n++) created.push(await createTask(running.admin, projectId, 'true'));
    await reconnected;
    await poll(() => heard.length >= created.length || undefined, { timeoutMs: 60_000 });
    const { cpuUsage, queueSizes, queueStatus } = await ws.getMetrics(['performance', 'queue_status']);
    expect([heard.toSorted(), reloads]).toEqual([created.toSorted(), []]);
    expect(cpuUsage).toBeGreaterThanOrEqual(0);
    expect(Object.keys(queueSizes)).toEqual(['high', 'normal', 'low']);
    expect(queueStatus?.workers.total).toBeGreaterThan(0);
    ws.close();
  });

  test("another user's session is refused for good", async () => {
    const ws = client.websocket.connect('018f0000-0000-7000-8000-000000000000');
    const closed = new Promise((resolve) => ws.on('closed', resolve));
    await expect(ws.ping()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
    expect(await closed).toMatchObject({ code: 4403 });
  });

  test('the output of a command is streamed as it is written, each line once, from before and after the beginning', async () => {
    const command = 'for i in $(seq 1 40); do echo line $i; sleep 0.05; done; echo same; echo same; echo oh >&2';
    const { commandId } = await client.commands.execute({ command, environment: { MY_VARIABLE: 'x' } });
    await poll(async () => (await client.commands.status(commandId)).output.length > 5 || undefined, {
      timeoutMs: 60_000,
    });
    let text = '';
    const stream = client.commands.stream(commandId);
    let next = await stream.next();
    for (; !next.done; next = await stream.next()) text += next.value.content;
    const lines = Array.from({ length: 40 }, (_, index) => `line ${index + 1}`);
    expect(text.replace('oh\n', '').split('\n')).toEqual([...lines, 'same', 'same', '']);
    expect(text).toContain('oh\n');
    expect(next.value).toMatchObject({ status: 'completed', exitCode: 0, outputTruncated: false });
  });

  test('streaming goes on over the death of realtime without gap or double', async () => {
    const taskId = await createTask(running.admin, projectId, 'for i in $(seq 1 60); do echo line $i; sleep 0.1; done');
    const { executionId } = await client.tasks.execute(taskId, { priority: 'high' });
    await poll(async () => (await client.commands.status(executionId).catch(() => undefined)) && true, {
      timeoutMs: 60_000,
    });
    let text = '';
    for await (const { content } of client.commands.stream(executionId)) {
      if (text === '') running.platform.kill('realtime');
      text += content;
    }
    expect(text).toBe(Array.from({ length: 60 }, (_, index) => `line ${index + 1}\n`).join(''));
  });
});

describe('the package as it is published', () => {
  test.each([['ts'], ['sh']])(
    "the README's examples in %s work as they stand",
    async (language) => {
      const values = await readersValues(running);
      const examples = readmeExamples(language, values);
      expect(examples.length).toBeGreaterThan(0);
      for (const [index, code] of examples.entries()) {
        if (language === 'sh') {
          const { stdout } = await run('sh', ['-ec', code]);
          expect(stdout).toMatch(/"error": ?null/);
          expect(stdout).not.toMatch(/"data": ?null/);
        } else {
          const file = join(project.path, `example-${index}.ts`);
          writeFileSync(file, code);
          const told = await watchExample(process.execPath, [file], running.admin, values.projectId);
          expect(told).toMatch(/Task [0-9a-f-]{36} updated: completed/);
        }
      }
      if (language === 'sh') await taskWithStatus(running.admin, values.taskId, ['completed']);
    },
    60_000,
  );

  test('needs nothing of Node, so that browsers can run it', () => {
    const dist = join(project.path, 'node_modules/@claude-cli/sdk/dist');
    const files = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
    const foreign = files.flatMap(
      (name) => readFileSync(join(dist, name), 'utf8').match(/(from|import\() ?'[^.].*?'/g) ?? [],
    );
    expect(files).toContain('index.js');
    expect(foreign).toEqual([]);
  });

  test('its types fit', async () => {
    const [example = ''] = readmeExamples('ts', await readersValues(running));
    writeFileSync(join(project.path, 'typed.ts'), example);
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2023,dom'];
    const checked = run(join(root, 'node_modules/.bin/tsc'), [...options, '--types', '', 'typed.ts'], {
      cwd: project.path,
    });
    await expect(checked).resolves.toMatchObject({ stdout: '' });
  });

  test('runs on the oldest Node that is supported, where there is one', async () => {
    const old = await oldNode();
    if (!old) return void process.stderr.write('no Node before 24 here: the SDK was not tried with one\n');
    const values = await readersValues(running);
    const file = join(project.path, 'old.mjs');
    writeFileSync(
      file,
      `import { ClaudeCliClient } from '@claude-cli/sdk';
import { WebSocket } from 'ws';
const client = new ClaudeCliClient({ baseURL: '${values.url}/api', token: '${values.token}', WebSocket });
const { commandId } = await client.commands.execute({ command: 'sleep 0.5; echo from afar' });
for await (const { content } of client.commands.stream(commandId)) process.stdout.write(content);\n`,
    );
    expect((await run(old, [file])).stdout).toBe('from afar\n');
  });
});

async function oldNode(): Promise<string | undefined> {
  for (const node of ['/usr/bin/node', '/usr/local/bin/node']) {
    const version = await run(node, ['--version']).then(
      ({ stdout }) => Number(/^v(\d+)/.exec(stdout)?.[1]),
      () => 0,
    );
    if (version >= 20 && version < 24) return node;
  }
  return undefined;
}

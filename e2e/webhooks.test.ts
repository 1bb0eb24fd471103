import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  type Received,
  type Receiver,
  startReceiver,
  status,
} from '../apps/webhook-dispatcher/src/testing/receiver.ts';
import { ClaudeCliClient } from '../packages/sdk/src/client.ts';
import { verifyWebhookSignature } from '../packages/sdk/src/webhooks.ts';
import { root } from '../scripts/platform/paths.ts';
import { poll } from '../scripts/platform/poll.ts';
import { freePort } from '../scripts/platform/ports.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { pythonWith } from './support/python.ts';
import { examplesIn } from './support/readme.ts';
import { createProject, createTask, execute } from './support/tasks.ts';
import { createUser, outcomeOf } from './support/users.ts';

interface Created {
  id: string;
  secret: string;
}

const python = pythonWith([]);

let running: TestPlatform;
let client: ClaudeCliClient;
let projectId: string;
beforeAll(async () => {
  if (!python) process.stderr.write('no python3 here: signatures are verified by Node alone\n');
  running = await startTestPlatform({ WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true' });
  const { url, adminUsername: username, adminPassword: password } = running.platform;
  client = new ClaudeCliClient({ baseURL: `${url}/api`, credentials: { username, password } });
  projectId = await createProject(running.admin);
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const bodyOf = ({ body }: Received) => JSON.parse(body);
const header = ({ headers }: Received, name: string) => String(headers[name]);

/** The requests that came to a receiver, once there are as many that fit. */
async function arrived(receiver: Receiver, count: number, fits: (request: Received) => boolean, timeoutMs = 60_000) {
  const found = await poll(
    () => {
      const fitting = receiver.received.filter(fits);
      return fitting.length >= count ? fitting : undefined;
    },
    { timeoutMs, intervalMs: 20 },
  );
  if (found) return found;
  const seen = receiver.received.map((request) => header(request, 'x-event-type'));
  throw new Error(`not ${count} requests that fit, but: ${seen.join(', ')}`);
}

function createWebhook(url: string, given: Record<string, unknown> = {}): Promise<Created> {
  const body = { url, events: ['*'], project_id: projectId, ...given };
  return running.admin.call<Created>('POST', '/api/webhooks/', body);
}

/** What the Python SDK says of a signature: of its module alone, which needs no other package. Undefined without a Python. */
function verifiedByPython(body: string, signature: string, secret: string): string | undefined {
  if (!python) return undefined;
  const sdk = join(root, 'sdks/python/claude_cli_sdk');
  const program =
    'import sys; from _webhooks import *; print(verify_webhook_signature(sys.stdin.read(), *sys.argv[1:]))';
  const env = { ...process.env, PYTHONPATH: sdk, PYTHONDONTWRITEBYTECODE: '1' };
  return execFileSync(python, ['-c', program, signature, secret], { input: body, env, encoding: 'utf8' }).trim();
}

describe('a webhook', () => {
  test('is told by signed requests of what becomes of a task, as the reference says', async () => {
    await using receiver = await startReceiver();
    const { id, secret } = await createWebhook(receiver.url, { headers: { 'X-Team': 'platform' } });
    const taskId = await createTask(running.admin, projectId, 'true');
    const { execution_id } = await execute(running.admin, taskId);
    // Requests to one endpoint are under way at the same time: any of them may be the last to arrive.
    for (const type of ['task.created', 'task.started', 'execution.finished', 'task.completed']) {
      await arrived(receiver, 1, (request) => header(request, 'x-event-type') === type);
    }

    for (const request of receiver.received) {
      const { body } = request;
      const signature = header(request, 'x-signature-256');
      expect(await verifyWebhookSignature(body, signature, secret)).toBe(true);
      const byPython = [body, `${body} `].map((text) => verifiedByPython(text, signature, secret));
      expect(byPython).toEqual(python ? ['True', 'False'] : [undefined, undefined]);
      expect(request).toMatchObject({ method: 'POST', path: '/hook', headers: { 'x-team': 'platform' } });
      expect(header(request, 'content-type')).toMatch(/^application\/json/);
      const told = bodyOf(request);
      expect(Object.keys(told)).toEqual(['event', 'timestamp', 'data', 'webhook_id', 'delivery_id']);
      expect(told).toMatchObject({ event: header(request, 'x-event-type'), webhook_id: id });
      expect(told.delivery_id).toBe(header(request, 'x-delivery-id'));
    }
    const told = receiver.received.map(bodyOf);
    expect(told.find(({ event }) => event === 'task.completed').data).toMatchObject({
      task_id: taskId,
      project_id: projectId,
      execution_id,
      status: 'completed',
      duration: expect.stringMatching(/^\d\d:\d\d:\d\d$/),
    });
    await running.admin.call('DELETE', `/api/webhooks/${id}`);
  });

  test('gets what it did not take again, the same to the byte, and every attempt can be looked at', async () => {
    await using receiver = await startReceiver(status(500, {}, 'not today'));
    const { id } = await createWebhook(receiver.url, { events: ['task.created'] });
    const taskId = await createTask(running.admin, projectId, 'true');
    const [first] = await arrived(receiver, 1, (request) => bodyOf(request).data.task_id === taskId);
    receiver.answer = status(204);
    const requests = await arrived(receiver, 2, (request) => bodyOf(request).data.task_id === taskId);
    expect(requests.map(({ body }) => body)).toEqual([first?.body, first?.body]);

    const path = `/api/webhooks/${id}/deliveries`;
    const settled = await poll(
      async () => {
        const { items } = await running.admin.call<{ items: { status: string; attempts: object[] }[] }>('GET', path);
        return items[0]?.status === 'succeeded' ? items : undefined;
      },
      { timeoutMs: 60_000 },
    );
    expect(settled).toMatchObject([
      {
        attempts: [
          { status_code: 500, response: 'not today' },
          { status_code: 204, error: null },
        ],
      },
    ]);
    expect(await running.admin.call('GET', `/api/webhooks/${id}/statistics`)).toMatchObject({
      succeeded: 1,
      success_rate: 1,
      backlog: 0,
    });
    await running.admin.call('DELETE', `/api/webhooks/${id}`);
  });

  test('loses nothing when its dispatcher is killed again and again', async () => {
    await using receiver = await startReceiver();
    const { id } = await createWebhook(receiver.url, { events: ['task.created'] });
    const created: string[] = [];
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 10; n++) created.push(await createTask(running.admin, projectId, 'true'));
      // By now it has some of them, or comes back to all of them.
      await running.platform.ready('webhook-dispatcher');
      running.platform.kill('webhook-dispatcher');
    }
    await running.platform.ready('webhook-dispatcher');
    const told = () => new Set(receiver.received.map((request) => bodyOf(request).data.task_id));
    // A process that was killed is believed to serve an endpoint until its lease is over.
    await poll(() => told().size >= created.length || undefined, { timeoutMs: 60_000 });
    expect([...told()].toSorted()).toEqual(created.toSorted());
    const { total } = await running.admin.call<{ total: number }>('GET', `/api/webhooks/${id}/deliveries`);
    expect(total).toBe(created.length);
    await running.admin.call('DELETE', `/api/webhooks/${id}`);
  });

  test('of somebody who was taken out of the project is told nothing more', async () => {
    await using receiver = await startReceiver();
    const member = await createUser(running);
    await running.admin.call('POST', `/api/projects/${projectId}/members`, { user_id: member.id, role: 'viewer' });
    await member.api.call('POST', '/api/webhooks/', { url: receiver.url, events: ['task.created'] });
    const seen = await createTask(running.admin, projectId, 'true');
    await arrived(receiver, 1, (request) => bodyOf(request).data.task_id === seen);

    await using witness = await startReceiver();
    const { id } = await createWebhook(witness.url, { events: ['project.updated', 'task.created'] });
    await running.admin.call('DELETE', `/api/projects/${projectId}/members/${member.id}`);
    // From the event on, what was known of access is not used any more.
    await arrived(witness, 1, (request) => header(request, 'x-event-type') === 'project.updated');
    const unseen = await createTask(running.admin, projectId, 'true');
    await arrived(witness, 1, (request) => bodyOf(request).data.task_id === unseen);
    expect(receiver.received.map((request) => bodyOf(request).data.task_id)).toEqual([seen]);
    await running.admin.call('DELETE', `/api/webhooks/${id}`);
  });

  test('leads to no metadata service, even where private networks are allowed', async () => {
    for (const url of ['http://169.254.169.254/latest', 'http://[::ffff:169.254.169.254]/', 'file:///etc/passwd']) {
      const answer = await running.admin.request('POST', '/api/webhooks/', { url, events: ['*'] });
      expect(outcomeOf(answer)).toEqual([422, 'VALIDATION_ERROR']);
    }
  });
});

describe('the SDK', () => {
  test('manages webhooks, tests them, and sends what was missed', async () => {
    await using receiver = await startReceiver();
    const { webhooks } = client;
    const { id, secret } = await webhooks.create({
      url: receiver.url,
      events: ['task.created'],
      projectId,
      headers: { 'X-Some_Name': 'as it is' },
    });
    expect((await webhooks.get(id)).headerNames).toEqual(['X-Some_Name']);
    const { items: types } = await webhooks.eventTypes();
    expect(types.find(({ type }) => type === 'task.completed')?.example).toMatchObject({
      event: 'task.completed',
      data: { task_id: expect.any(String) },
    });

    await webhooks.test(id, { eventType: 'task.failed' });
    const [example] = await arrived(receiver, 1, (request) => header(request, 'x-event-type') === 'task.failed');
    const rotated = await webhooks.rotateSecret(id);
    await webhooks.test(id);
    const [signedTwice] = await arrived(receiver, 1, ({ headers }) => 'x-signature-256-previous' in headers);
    if (!example || !signedTwice) throw new Error('nothing arrived');
    expect(await verifyWebhookSignature(example.body, header(example, 'x-signature-256'), secret)).toBe(true);
    for (const [name, valid] of [
      ['x-signature-256', rotated.secret],
      ['x-signature-256-previous', secret],
    ] as const) {
      expect(await verifyWebhookSignature(signedTwice.body, header(signedTwice, name), valid)).toBe(true);
    }

    await webhooks.pause(id);
    const since = new Date().toISOString();
    const missed = await createTask(running.admin, projectId, 'true');
    await poll(async () => (await webhooks.deliveries(id, { status: ['cancelled'] })).total > 0 || undefined, {
      timeoutMs: 60_000,
    });
    await webhooks.resume(id);
    const replay = await webhooks.replay(id, { since, statuses: ['cancelled'] });
    const [late] = await arrived(receiver, 1, (request) => bodyOf(request).data.task_id === missed);
    const progress = await poll(
      async () => {
        const seen = await webhooks.replayProgress(id, replay.id);
        return seen.status === 'running' ? undefined : seen;
      },
      { timeoutMs: 60_000 },
    );
    expect(progress).toMatchObject({ status: 'completed', total: 1, replayed: 1 });

    const deliveryId = late ? bodyOf(late).delivery_id : '';
    await webhooks.redeliver(id, deliveryId);
    await arrived(receiver, 2, (request) => header(request, 'x-delivery-id') === deliveryId);
    const { payload } = await webhooks.delivery(id, deliveryId);
    expect(payload).toBe(late?.body);
    expect((await webhooks.delete(id)).webhookId).toBe(id);
  });
});

describe('the receivers of docs/webhooks.md', () => {
  const document = 'docs/webhooks.md';

  test.each([
    ['Node', process.execPath, 'js', 'receiver.mjs'],
    ...(python ? [['Python', python, 'python', 'receiver.py'] as const] : []),
  ] as const)(
    'take what is ours and refuse what is not, in %s',
    async (_name, program, language, file) => {
      const [code = '', ...others] = examplesIn(document, 'Verifying', language);
      expect([code === '', others]).toEqual([false, []]);
      const path = join(running.scratch, file);
      writeFileSync(path, code);
      const port = await freePort();
      const url = `http://127.0.0.1:${port}/`;
      const { id, secret } = await createWebhook(url, { events: ['task.created'] });
      await using receiver = example(program, path, { WEBHOOK_SECRET: secret, PORT: String(port) });
      const post = (body: string, headers: Record<string, string>) =>
        fetch(url, { method: 'POST', body, headers }).then(
          ({ status: code }) => code,
          () => undefined,
        );
      const refused = await poll(() => post('{}', { 'X-Signature-256': `sha256=${'0'.repeat(64)}` }), {
        timeoutMs: 60_000,
      });
      expect(refused).toBe(401);
      // As long as a signature, and no ASCII.
      expect(await post('{}', { 'X-Signature-256': 'é'.repeat(71) })).toBe(401);
      expect(await post('{}', {})).toBe(401);

      const taskId = await createTask(running.admin, projectId, 'true');
      await poll(() => receiver.told().includes(taskId) || undefined, { timeoutMs: 60_000 });
      expect(receiver.told()).toMatch(new RegExp(`[0-9a-f-]{36}: task.created of task ${taskId}\n`));
      await running.admin.call('DELETE', `/api/webhooks/${id}`);
    },
    60_000,
  );
});

/** A program of the document, running. */
function example(program: string, path: string, env: Record<string, string>) {
  const child: ChildProcess = spawn(program, [path], { cwd: root, env: { ...process.env, ...env } });
  let told = '';
  child.stdout?.on('data', (data) => (told += data));
  child.stderr?.resume();
  return {
    told: () => told,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await new Promise((resolve) => (child.exitCode === null ? child.once('close', resolve) : resolve(undefined)));
    },
  };
}

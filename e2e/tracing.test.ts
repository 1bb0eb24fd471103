import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Receiver, startReceiver, status } from '../apps/webhook-dispatcher/src/testing/receiver.ts';
import { LiveConnection } from '../scripts/live-connection.ts';
import { poll } from '../scripts/platform/poll.ts';
import { serviceNames } from '../scripts/platform/services.ts';
import { OtlpReceiver, type ToldSpan } from './support/otlp.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createProject, createTask, type Queued, taskWithStatus } from './support/tasks.ts';

let collector: OtlpReceiver;
let receiver: Receiver;
let running: TestPlatform;
let projectId: string;
const lines: string[] = [];

beforeAll(async () => {
  collector = await OtlpReceiver.start();
  receiver = await startReceiver();
  const settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    LOG_LEVEL: 'trace',
    WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true',
  };
  running = await startTestPlatform(settings, {
    hear: (source, line) => void lines.push(`${source} ${line}`),
  });
  projectId = await createProject(running.admin);
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await receiver?.[Symbol.asyncDispose]();
  await collector?.[Symbol.asyncDispose]();
});

/** Whether something is so once everything was told, which each process does at a time of its own. */
const inTime = async (holds: () => boolean) => (await poll(() => holds() || undefined, { timeoutMs: 60_000 })) === true;

const id = (bytes: number) => randomBytes(bytes).toString('hex');
const named = (service: string, name: string) => (span: ToldSpan) => span.service === service && span.name === name;
const eventOf = ({ headers }: { headers: Record<string, unknown> }) => headers['x-event-type'];

test('one trace leads from the request that executes a task to what its watcher and its webhook are told', async () => {
  const { admin, platform } = running;
  await admin.call('POST', '/api/webhooks/', { url: receiver.url, events: ['task.completed'], project_id: projectId });
  const { session_id } = await admin.call<{ session_id: string }>('POST', '/api/sessions/', {});
  using live = await LiveConnection.open(platform.url, session_id);
  await live.authenticate(String(admin.token));
  await live.subscribe('task_updates', projectId);
  const taskId = await createTask(admin, projectId, 'echo hello');
  receiver.answer = status(503);

  const [traceId, ours] = [id(16), id(8)];
  const headers = { traceparent: `00-${traceId}-${ours}-01` };
  const { body } = await admin.request('POST', `/api/tasks/${taskId}/execute`, {}, headers);
  const { execution_id } = body.data as Queued;
  await live.next({ type: 'task_completed', timeoutMs: 60_000 });
  await poll(() => receiver.received.find((request) => eventOf(request) === 'task.completed'), { timeoutMs: 60_000 });
  receiver.answer = status(204);

  const find = (service: string, name: string) => collector.span(traceId, named(service, name), `${service}: ${name}`);
  const request = await find('gateway', 'POST /api/tasks/{task_id}/execute');
  expect(request.parentSpanId).toBe(ours);
  const asked = await find('task-service', 'platform.v1.TaskService/ExecuteTask');
  const told = await find('task-service', 'tell execution queued');
  const waited = await find('task-service', 'wait in queue');
  const run = await find('command-runner', 'run execution');
  const process = await find('command-runner', 'process');
  const result = await find('task-service', 'consume task-service.results');
  const ended = await find('task-service', 'tell execution ended');
  const pushed = await find('realtime', 'push task.completed');
  const attempt = await find('webhook-dispatcher', 'webhook attempt');
  expect(run.attributes['execution.id']).toBe(execution_id);

  // What follows at once is a child of what caused it.
  const comesFrom = (span: ToldSpan, { spanId }: ToldSpan) =>
    inTime(() => collector.ancestors(span).some((each) => each.spanId === spanId));
  for (const span of [asked, told, waited, run, process, result, ended, pushed, attempt]) {
    expect({ [span.name]: await comesFrom(span, request) }).toEqual({ [span.name]: true });
  }
  expect([await comesFrom(process, run), await comesFrom(result, run)]).toEqual([true, true]);
  // What follows after some time has a link to what set it off, where that is another trace or another branch of this one.
  const causes = () => collector.cause(attempt).map(({ service, name }) => `${service}: ${name}`);
  const wanted = ['task-service: consume task-service.results', 'command-runner: run execution'];
  await inTime(() => wanted.every((each) => causes().includes(each)));
  expect(causes()).toEqual(expect.arrayContaining(wanted));
  // A slot was waiting for it.
  const [given] = waited.links;
  const giving = await collector.span(given?.traceId, ({ spanId }) => spanId === given?.spanId, 'the giving');
  expect(giving).toMatchObject({ service: 'task-service', name: 'give execution' });

  const again = await collector.span(
    traceId,
    (span) => span.name === 'webhook attempt' && span.links.some(({ spanId }) => spanId === attempt.spanId),
    'another attempt',
  );
  expect(again.attributes).toMatchObject({ 'http.response.status_code': 204, 'event.type': 'task.completed' });
});

test('a run that was claimed is linked to the claim, which is a trace of its own', async () => {
  const { admin } = running;
  const { id: limited } = await admin.call<{ id: string }>('POST', '/api/projects/', { name: 'Agents' });
  // No slot waits for the agent: its work is always claimed.
  const { id: taskId } = await admin.call<{ id: string }>('POST', '/api/tasks/', {
    title: 'Think',
    project_id: limited,
  });
  const { execution_id } = await admin.call<Queued>('POST', `/api/tasks/${taskId}/execute`, {});
  await taskWithStatus(admin, taskId, ['completed', 'failed'], 30_000);
  const isRun = ({ attributes, name }: ToldSpan) =>
    name === 'run execution' && attributes['execution.id'] === execution_id;
  const run = await collector.span(undefined, isRun, 'its run');
  const [link] = run.links;
  const claim = await collector.span(link?.traceId, ({ spanId }) => spanId === link?.spanId, 'the claim');
  expect(claim).toMatchObject({ service: 'command-runner', name: 'claim execution' });
  expect(claim.traceId).not.toBe(run.traceId);
});

test('a scheduled run is a trace of its own, linked to the request that set the schedule', async () => {
  const [traceId, ours] = [id(16), id(8)];
  const schedule = { cron: '*/10 * * * * *' };
  const task = { title: 'Scheduled', project_id: projectId, command: 'true', schedule };
  const headers = { traceparent: `00-${traceId}-${ours}-01` };
  const { body } = await running.admin.request('POST', '/api/tasks/', task, headers);
  const taskId = (body.data as { id: string }).id;
  await taskWithStatus(running.admin, taskId, ['completed'], 30_000);
  await running.admin.call('DELETE', `/api/tasks/${taskId}`);
  const scheduled = await collector.span(
    undefined,
    (span) => span.name === 'run schedule' && span.links.some((link) => link.traceId === traceId),
    'run schedule',
  );
  expect(scheduled.traceId).not.toBe(traceId);
  await collector.span(scheduled.traceId, named('command-runner', 'process'), 'its process');
});

test('an attempt that follows on a failed one is linked to where that ended', async () => {
  const taskId = await createTask(running.admin, projectId, 'exit 1');
  const options = { retry_attempts: 1 };
  await running.admin.call('POST', `/api/tasks/${taskId}/execute`, { options });
  await taskWithStatus(running.admin, taskId, ['failed'], 30_000);
  const isSecond = ({ attributes }: ToldSpan) => attributes['execution.generation'] === 2;
  const { traceId } = await collector.span(undefined, isSecond, 'a second run');
  const isWait = ({ name, links }: ToldSpan) => name === 'wait in queue' && links.length === 2;
  const { links } = await collector.span(traceId, isWait, 'the wait for it');
  const end = await collector.span(traceId, ({ spanId }) => spanId === links[1]?.spanId, 'the end of the first');
  expect(end.name).toBe('consume task-service.results');
});

test('every service tells metrics and logs as well, and log lines name their trace', async () => {
  const missing = () => serviceNames.filter((name) => !collector.metrics.get(name)?.has('process_cpu_seconds_total'));
  await inTime(() => missing().length === 0);
  expect(missing()).toEqual([]);
  expect(await inTime(() => collector.metrics.get('gateway')?.has('http_request_duration_seconds') === true)).toBe(
    true,
  );
  const logging = () => serviceNames.filter((name) => collector.logs.some(({ service }) => service === name));
  await inTime(() => logging().length === serviceNames.length);
  expect(logging()).toEqual(serviceNames);
  const traces = () => new Set(collector.spans.map(({ traceId }) => traceId));
  const logs = () => collector.logs.filter(({ service }) => service === 'task-service');
  expect(await inTime(() => logs().some(({ traceId }) => traces().has(traceId)))).toBe(true);
});

test('nothing that is secret is in the logs, the traces or the metrics', async () => {
  const { admin, visitor, platform } = running;
  const marked = (what: string) => `MARKED-${what}-${id(8)}`;
  const environment = { SOME_SECRET: marked('environment') };
  const wrong = marked('wrong-password');
  await visitor.request('POST', '/api/auth/login', { username: platform.adminUsername, password: wrong });
  await visitor.as(marked('token')).request('GET', '/api/tasks/');
  await visitor.request('GET', '/api/tasks/', undefined, { 'x-api-key': marked('key'), cookie: marked('cookie') });
  const user = {
    username: `u${id(4)}`,
    email: `${id(4)}@example.com`,
    password: marked('Password1'),
    role: 'developer',
  };
  await admin.request('POST', '/api/users/', user);
  const hook = {
    url: `http://me:${marked('url')}@127.0.0.1:${receiver.port}/hook?token=${marked('query')}`,
    events: ['task.created'],
    project_id: projectId,
    headers: { Authorization: `Bearer ${marked('header')}` },
  };
  const { body } = await admin.request('POST', '/api/webhooks/', hook);
  const plain = { ...hook, url: receiver.url };
  const { secret } = await admin.call<{ secret: string }>('POST', '/api/webhooks/', plain);
  await admin.request('POST', '/api/commands/execute', { command: 'false', environment });
  await admin.request('POST', '/api/commands/execute', { command: 'rm -rf /', environment });
  await createTask(admin, projectId, 'true');
  await poll(() => receiver.received.find((request) => eventOf(request) === 'task.created'), { timeoutMs: 60_000 });
  expect([body.error?.code, secret]).not.toContain(undefined);

  // What was written before is there once what comes after it is.
  const last = await admin.request('GET', '/api/tasks/not-a-task', undefined, { 'x-request-id': id(16) });
  await poll(() => lines.some((line) => line.includes(last.body.meta.request_id)) || undefined, { timeoutMs: 60_000 });
  const told = collector.bodies.length;
  await poll(() => collector.bodies.length > told + serviceNames.length || undefined, { timeoutMs: 60_000 });

  const { jwtSecret, serviceSecret, webhookEncryptionKey } = platform.secrets;
  const secrets = ['MARKED-', String(admin.token), platform.adminPassword, secret, jwtSecret, serviceSecret];
  const everything = [...lines, ...collector.bodies];
  for (const each of [...secrets, webhookEncryptionKey]) {
    expect(each.length).toBeGreaterThan(6);
    expect(everything.filter((text) => text.includes(each)).map((text) => text.slice(0, 2_000))).toEqual([]);
  }
});

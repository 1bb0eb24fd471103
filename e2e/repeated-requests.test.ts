import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo } from '@claude-cli/shared/mongo';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startPlatformOn, type TestPlatform } from './support/platform.ts';
import { createProject, createTask } from './support/tasks.ts';

const environment = testEnvironment();
const { MONGODB_URI = '', AMQP_URL = '', AMQP_PREFIX = '' } = environment.env;

let running: TestPlatform;
beforeAll(async () => {
  running = await startPlatformOn({ MONGODB_URI, AMQP_URL, AMQP_PREFIX });
});
afterAll(async () => {
  await running?.[Symbol.asyncDispose]();
  await environment[Symbol.asyncDispose]();
});

/** Leave of every request what a gateway leaves that dies between having it done and keeping the answer. */
async function forgetAnswers(): Promise<void> {
  await using store = await connectMongo(MONGODB_URI, 'projects', createLogger('test', 'silent'));
  const dead = { status: null, answer: null, lease_until: new Date(0) };
  await store.connection.collection('kept_requests').updateMany({}, { $set: dead });
}

test('whoever repeats a request whose gateway died is answered with what the first attempt made', async () => {
  const { admin } = running;
  const project_id = await createProject(admin);
  const task_id = await createTask(admin, project_id, 'sleep 20');
  const requests: [path: string, body: object, id: string][] = [
    ['/api/projects/', { name: 'Once' }, 'id'],
    ['/api/tasks/', { project_id, title: 'Once' }, 'id'],
    [`/api/tasks/${task_id}/execute`, {}, 'execution_id'],
    ['/api/sessions/', { project_id }, 'session_id'],
    ['/api/commands/execute', { command: 'true' }, 'command_id'],
    ['/api/webhooks/', { url: 'https://hooks.example.com/once', project_id, events: ['*'] }, 'id'],
  ];
  const ask = (n: number) => {
    const [path, body, id] = requests[n] as (typeof requests)[number];
    return admin
      .request('POST', path, body, { 'idempotency-key': `once-${n}` })
      .then(({ status, headers, body: { data } }) => {
        const made = data as Record<string, unknown> | null;
        return { status, headers, id: made?.[id], secret: made?.secret };
      });
  };
  const places = requests.map((_, n) => n);
  const first = await Promise.all(places.map(ask));
  expect(first.map(({ id }) => typeof id)).toEqual(places.map(() => 'string'));
  await forgetAnswers();
  const again = await Promise.all(places.map(ask));
  const seen = ({ status, id, secret }: (typeof first)[number]) => ({ status, id, secret });
  expect(again.map(seen)).toEqual(first.map(seen));
  for (const { headers } of again) expect(headers.get('idempotency-replayed')).toBeNull();
  expect(await admin.call('GET', `/api/tasks?project_id=${project_id}`)).toMatchObject({ total: 2 });
  // Now the answers are kept, and repeated as they are.
  expect((await ask(1)).headers.get('idempotency-replayed')).toBe('true');
  await admin.call('POST', `/api/tasks/${task_id}/cancel`, {});
});

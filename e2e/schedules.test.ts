import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { poll } from '../scripts/platform/poll.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createProject } from './support/tasks.ts';
import { createUser, outcomeOf } from './support/users.ts';

let running: TestPlatform;

beforeAll(async () => {
  running = await startTestPlatform();
});
afterAll(async () => running?.[Symbol.asyncDispose]());

/** What is told of a task with a schedule. */
interface Scheduled {
  id: string;
  status: string;
  schedule: { cron: string; next_run_at: string } | null;
  history: { new_value: unknown }[];
}

test('a task that is scheduled every ten seconds runs by itself, again and again, until its schedule is ended', async () => {
  const { admin } = running;
  const project_id = await createProject(admin);
  // The first time comes in about three seconds.
  const first = (new Date().getSeconds() + 3) % 10;
  const cron = `${[0, 1, 2, 3, 4, 5].map((ten) => ten * 10 + first).join(',')} * * * * *`;
  const task = { title: 'By itself', project_id, command: 'true', schedule: { cron } };
  const { id } = await admin.call<Scheduled>('POST', '/api/tasks/', task);
  const completions = async (count: number) => {
    const done = await poll(
      async () => {
        const seen = await admin.call<Scheduled>('GET', `/api/tasks/${id}`);
        return seen.history.filter(({ new_value }) => new_value === 'completed').length >= count ? seen : undefined;
      },
      { timeoutMs: 18_000, intervalMs: 250 },
    );
    if (!done) throw new Error(`the task was not completed ${count} times`);
    return done;
  };
  const once = await completions(1);
  const twice = await completions(2);
  const step = Date.parse(twice.schedule?.next_run_at ?? '') - Date.parse(once.schedule?.next_run_at ?? '');
  expect(step).toBeGreaterThan(0);
  expect(step % 10_000).toBe(0);
  const ended = await admin.call<Scheduled>('PUT', `/api/tasks/${id}`, { schedule: null });
  expect(ended.schedule).toBeNull();
});

test('the dead letters are there for admins alone', async () => {
  const { admin, visitor } = running;
  const { api } = await createUser(running);
  const paths = [
    ['GET', '/api/queues/dead-letters'],
    ['POST', '/api/queues/dead-letters/replay'],
  ] as const;
  for (const [method, path] of paths) {
    expect(outcomeOf(await visitor.request(method, path))).toEqual([401, 'AUTH_TOKEN_MISSING']);
    expect(outcomeOf(await api.request(method, path))).toEqual([403, 'AUTH_INSUFFICIENT_PERMISSIONS']);
  }
  expect(await admin.call('GET', paths[0][1])).toEqual({ messages: [], total: 0 });
  expect(await admin.call('POST', paths[1][1], {})).toMatchObject({ replayed_count: 0 });
});

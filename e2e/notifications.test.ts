import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApiClient } from '../scripts/api-client.ts';
import { poll } from '../scripts/platform/poll.ts';
import { startTestPlatform, type TestPlatform } from './support/platform.ts';
import { createTask, execute, taskWithStatus } from './support/tasks.ts';
import { createUser, outcomeOf, type TestUser } from './support/users.ts';

interface Notification {
  id: string;
  kind: string;
  level: string;
  message: string;
  task_id: string | null;
  actions: { label: string; action: string; url: string | null }[];
  created_at: string;
  read: boolean;
}

interface Page {
  items: Notification[];
  total: number;
  pages: number;
  unread_count: number;
}

let running: TestPlatform;
beforeAll(async () => {
  running = await startTestPlatform();
});
afterAll(async () => running?.[Symbol.asyncDispose]());

const listOf = (api: ApiClient, query = '') => api.call<Page>('GET', `/api/notifications/${query}`);

/** The first notification that fits, once there is one. */
async function notificationOf(api: ApiClient, fits: (each: Notification) => boolean): Promise<Notification> {
  const found = await poll(async () => (await listOf(api)).items.find(fits), { timeoutMs: 60_000 });
  if (!found) throw new Error(`no such notification among ${JSON.stringify((await listOf(api)).items)}`);
  return found;
}

/** A user with a project, and another who may work in it. */
async function team(): Promise<{ owner: TestUser; member: TestUser; projectId: string }> {
  const [owner, member] = await Promise.all([createUser(running), createUser(running)]);
  const { id: projectId } = await owner.api.call<{ id: string }>('POST', '/api/projects/', { name: 'Team' });
  const body = { user_id: member.id, role: 'editor' };
  await owner.api.call('POST', `/api/projects/${projectId}/members`, body);
  return { owner, member, projectId };
}

async function runToEnd(api: ApiClient, taskId: string, status: string): Promise<void> {
  await execute(api, taskId);
  await taskWithStatus(api, taskId, [status]);
}

describe('a notification', () => {
  test('of a run reaches who created the task, who has it and who ran it, and nobody else', async () => {
    const { owner, member, projectId } = await team();
    const taskId = await createTask(owner.api, projectId, 'exit 3');
    await runToEnd(member.api, taskId, 'failed');
    for (const { api } of [owner, member]) {
      const told = await notificationOf(api, ({ task_id }) => task_id === taskId);
      expect(told).toMatchObject({ kind: 'task_failed', level: 'error', read: false });
      expect(told.message).toMatch(/^End to end failed: /);
      const [, details] = told.actions;
      expect(await api.call('GET', details?.url ?? '')).toMatchObject({ id: taskId, status: 'failed' });
    }
    expect((await listOf(running.admin)).items.map(({ task_id }) => task_id)).not.toContain(taskId);
  });

  test('is read and dismissed by its user, and is 404 for everybody else', async () => {
    const { owner, member, projectId } = await team();
    const taskId = await createTask(owner.api, projectId, 'true');
    await runToEnd(owner.api, taskId, 'completed');
    const { id } = await notificationOf(owner.api, ({ kind }) => kind === 'task_completed');
    for (const api of [member.api, running.admin]) {
      for (const [method, path] of [
        ['POST', `/api/notifications/${id}/read`],
        ['DELETE', `/api/notifications/${id}`],
      ] as const) {
        expect(outcomeOf(await api.request(method, path))).toEqual([404, 'RESOURCE_NOT_FOUND']);
      }
    }
    expect(outcomeOf(await running.visitor.request('GET', '/api/notifications/'))).toEqual([401, 'AUTH_TOKEN_MISSING']);
    expect(await listOf(owner.api, '?unread=true')).toMatchObject({ total: 1, unread_count: 1 });
    expect(await owner.api.call('POST', `/api/notifications/${id}/read`)).toMatchObject({ id, read: true });
    expect(await listOf(owner.api, '?unread=true')).toMatchObject({ items: [], total: 0, unread_count: 0 });
    expect(await listOf(owner.api, '?level=success&unread=false')).toMatchObject({ items: [{ id }], pages: 1 });
    await owner.api.call('DELETE', `/api/notifications/${id}`);
    expect(await listOf(owner.api)).toMatchObject({ items: [], total: 0 });
    const unknown = await owner.api.request('DELETE', `/api/notifications/${randomUUID()}`);
    expect(outcomeOf(unknown)).toEqual([404, 'RESOURCE_NOT_FOUND']);
  });

  test('comes only of what its user wants', async () => {
    const { owner, member, projectId } = await team();
    await owner.api.call('PUT', '/api/users/preferences', { notifications: { task_failed: false } });
    const failing = await createTask(owner.api, projectId, 'exit 1');
    await runToEnd(member.api, failing, 'failed');
    await notificationOf(member.api, ({ task_id }) => task_id === failing);
    const fine = await createTask(owner.api, projectId, 'true');
    await runToEnd(member.api, fine, 'completed');
    await notificationOf(owner.api, ({ task_id }) => task_id === fine);
    expect((await listOf(owner.api)).items.map(({ task_id }) => task_id)).toEqual([fine]);
  });

  test('of a maintenance reaches everybody, and each marks it alone', async () => {
    const { owner, member } = await team();
    const message = 'Scheduled maintenance will begin in 30 minutes';
    const starts_at = new Date(Date.now() + 1_800_000).toISOString();
    await running.admin.call('POST', '/api/system/maintenance', { message, starts_at });
    const told = await notificationOf(owner.api, (each) => each.message === message);
    expect(told).toMatchObject({ kind: 'maintenance', level: 'info', read: false });
    const before = told.created_at;
    const read = await owner.api.call('POST', '/api/notifications/read-all', { before });
    expect(read).toEqual({ read_count: 1, unread_count: 0 });
    expect(await listOf(owner.api)).toMatchObject({ items: [{ id: told.id, read: true }], unread_count: 0 });
    expect(await listOf(member.api)).toMatchObject({ items: [{ id: told.id, read: false }], unread_count: 1 });
    await running.admin.call('DELETE', '/api/system/maintenance');
  });
});

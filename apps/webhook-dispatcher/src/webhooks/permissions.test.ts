import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newWebhook } from '../testing/requests.ts';

let platform: TestPlatform;
let owner: Origin;
let editor: Origin;
let stranger: Origin;
let project_id: string;

beforeAll(async () => {
  platform = await startTestPlatform();
  [owner, editor, stranger] = await Promise.all([platform.newUser(), platform.newUser(), platform.newUser()]);
  const project = await platform.projects.createProject({ name: 'Shop' }, owner);
  project_id = project.id;
  await platform.projects.addMember({ project_id, user_id: editor.caller.user_id, role: 'editor' }, owner);
});
afterAll(async () => platform[Symbol.asyncDispose]());

describe('who may manage webhooks', () => {
  test('one of a project is created by its owners and admins only', async () => {
    const { webhooks, admin } = platform;
    const request = newWebhook({ project_id });
    for (const who of [editor, stranger]) {
      await expect(webhooks.createWebhook(request, who)).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
      await expect(webhooks.listWebhooks({ project_id }, who)).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
    }
    const mine = await webhooks.createWebhook(request, owner);
    const theirs = await webhooks.createWebhook(request, admin);
    const { items } = await webhooks.listWebhooks({ project_id }, owner);
    expect(items.map(({ id }) => id)).toEqual([theirs.id, mine.id]);
  });

  test('to others than its creator, the owners of its project and admins, a webhook is not there', async () => {
    const { webhooks, admin } = platform;
    const { id: webhook_id } = await webhooks.createWebhook(newWebhook({ project_id }), admin);
    const notFound = { code: 'RESOURCE_NOT_FOUND' };
    for (const who of [editor, stranger]) {
      const calls = [
        webhooks.getWebhook({ webhook_id }, who),
        webhooks.updateWebhook(change(webhook_id, { description: 'mine now' }), who),
        webhooks.pauseWebhook({ webhook_id }, who),
        webhooks.resumeWebhook({ webhook_id }, who),
        webhooks.rotateSecret({ webhook_id }, who),
        webhooks.testWebhook({ webhook_id }, who),
        webhooks.listDeliveries({ webhook_id, status: [] }, who),
        webhooks.startReplay({ webhook_id, since: '2025-01-01T00:00:00Z', statuses: [] }, who),
        webhooks.getWebhookStatistics({ webhook_id }, who),
        webhooks.deleteWebhook({ webhook_id }, who),
      ];
      for (const call of calls) await expect(call).rejects.toMatchObject(notFound);
    }
    expect((await webhooks.getWebhook({ webhook_id }, owner)).id).toBe(webhook_id);
    await webhooks.deleteWebhook({ webhook_id }, owner);
  });

  test('one beyond projects belongs to its creator and to admins', async () => {
    const { webhooks, admin } = platform;
    const { id: webhook_id } = await webhooks.createWebhook(newWebhook(), editor);
    await expect(webhooks.getWebhook({ webhook_id }, owner)).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    expect((await webhooks.getWebhook({ webhook_id }, admin)).owner_id).toBe(editor.caller.user_id);
    expect((await webhooks.listWebhooks({}, stranger)).total).toBe(0);
    expect((await webhooks.listWebhooks({}, admin)).items.map(({ id }) => id)).toContain(webhook_id);
  });

  test('events of the system are for webhooks of admins, and of no project', async () => {
    const { webhooks, admin } = platform;
    const events = ['system.alert'];
    await expect(webhooks.createWebhook(newWebhook({ events }), owner)).rejects.toMatchObject({
      code: 'AUTH_INSUFFICIENT_PERMISSIONS',
    });
    await expect(webhooks.createWebhook(newWebhook({ events, project_id }), admin)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { field: 'events' },
    });
    expect(await webhooks.createWebhook(newWebhook({ events }), admin)).toMatchObject({ events });
  });

  test('an archived project takes no new webhooks', async () => {
    const { webhooks, projects } = platform;
    const { id } = await projects.createProject({ name: 'Old' }, owner);
    // It is archived then; that the answer lacks its statistics, since task-service is not there, does not matter.
    const archived = projects.updateProject({ project_id: id, status: 'archived' }, owner);
    await expect(archived).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    await expect(webhooks.createWebhook(newWebhook({ project_id: id }), owner)).rejects.toMatchObject({
      code: 'PROJECT_ARCHIVED',
    });
  });
});

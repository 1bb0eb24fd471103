import { newEvent } from '@claude-cli/shared/events';
import { derivedId, newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { endOfTask } from '../testing/ended-tasks.ts';
import { listenTo } from '../testing/events.ts';
import { type Inboxes, openInboxes } from '../testing/inboxes.ts';
import { createPerson } from '../testing/people.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import type { NotifyingEvent } from './content.ts';

describe('who is notified', () => {
  let platform: TestPlatform;
  let at: Inboxes;
  let project_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    at = await openInboxes(platform);
    ({ project_id } = at);
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('of a task reach who created it, has it assigned and ran it, live as well, each once', async () => {
    const [creator, assignee, runner] = await Promise.all([at.person(), at.person(), at.person()]);
    await using live = await listenTo(platform, 'notification.created');
    const event = endOfTask('task.failed', {
      project_id,
      title: 'Build',
      error: 'exit code 1',
      people: {
        created_by: creator.caller.user_id,
        assigned_to: assignee.caller.user_id,
        requested_by: runner.caller.user_id,
      },
    });
    await at.tell(event);
    for (const user of [creator, assignee, runner]) {
      const user_id = user.caller.user_id;
      const list = await until('the notification', async () => {
        const found = await at.listOf(user);
        return found.items.length > 0 && found;
      });
      const said = { kind: 'task_failed', level: 'error', title: 'Task failed', message: 'Build failed: exit code 1' };
      const about = { project_id, task_id: event.data.task_id };
      const id = derivedId(event.id, user_id);
      const expected = { id, ...said, ...about, created_at: event.time, read: false };
      expect(list).toMatchObject({ items: [expected], total: 1, unread_count: 1 });
      const own = await until('it to be told', () =>
        live.events.find(({ data }) => 'notification_id' in data && data.user_id === user_id),
      );
      const actions = list.items[0]?.actions.map(({ url, ...action }) => (url ? { ...action, url } : action));
      expect(own).toMatchObject({ id, project_id: null, data: { notification_id: id, ...said, ...about, actions } });
    }
    expect(live.events).toHaveLength(3);
  });

  test('come once however often their event comes, and not again after they were dismissed', async () => {
    const user = await at.person();
    const event = at.endFor(user, 'twice');
    await using live = await listenTo(platform, 'notification.created');
    await Promise.all([at.tell(event), at.tell(event), at.tell(event)]);
    await until('all three to be told on', () => live.events.length === 3);
    expect(new Set(live.events.map(({ id }) => id)).size).toBe(1);
    const [only] = (await at.listOf(user)).items;
    expect(await at.listOf(user)).toMatchObject({ total: 1, unread_count: 1 });
    await platform.notifications.dismissNotification({ notification_id: only?.id ?? '' }, user);
    await at.tell(event);
    await until('the fourth to be told on', () => live.events.length === 4);
    expect(await at.listOf(user)).toMatchObject({ items: [], total: 0, unread_count: 0 });
  });

  test('of a task reach nobody who may not see it, is disabled, or does not want them', async () => {
    const [outsider, disabled, unwilling, willing] = await Promise.all([
      at.person(false),
      at.person(),
      at.person(),
      at.person(),
    ]);
    await platform.users.updateUser({ user_id: disabled.caller.user_id, status: 'disabled' }, platform.admin);
    await platform.users.updatePreferences({ notifications: { task_cancelled: false } }, unwilling);
    const { user_id } = willing.caller;
    for (const other of [outsider, disabled, unwilling]) {
      const people = { created_by: other.caller.user_id, assigned_to: user_id, requested_by: null };
      await at.told(endOfTask('task.cancelled', { project_id, people }), user_id);
      expect(await at.audienceCount(other.caller.user_id)).toBe(0);
    }
    // What one does not want of one kind one still gets of another.
    await at.toldTo(unwilling, 'wanted');
    expect(await at.messagesOf(unwilling)).toEqual(['wanted failed: exit code 1']);
  });

  test('of a task reach an admin in any project, and nobody of a project that is silenced or deleted', async () => {
    const own = await platform.projects.createProject({ name: 'Quiet' }, platform.admin);
    const { user_id } = platform.admin.caller;
    const admin = await createPerson(platform, { role: 'admin' });
    const people = { created_by: admin.id, assigned_to: user_id, requested_by: null };
    const end = () => endOfTask('task.completed', { project_id: own.id, people });
    await at.told(end(), admin.id);
    await until('the other one as well', async () => (await at.audienceCount(user_id)) === 1);
    const afterwards = async () => {
      await at.tell(end());
      // Handled side by side, but this one is told later, and takes longer.
      await at.toldTo(await at.person(), 'later');
      return [await at.audienceCount(admin.id), await at.audienceCount(user_id)];
    };
    await platform.projects.updateProject({ project_id: own.id, settings: { notifications: false } }, platform.admin);
    expect(await afterwards()).toEqual([1, 1]);
    await platform.projects.updateProject({ project_id: own.id, settings: { notifications: true } }, platform.admin);
    await at.told(end(), admin.id);
    await platform.projects.deleteProject({ project_id: own.id }, platform.admin);
    expect(await afterwards()).toEqual([2, 2]);
  });

  test('of a webhook reach its owner alone', async () => {
    const [owner, other] = await Promise.all([at.person(), at.person()]);
    const data = {
      webhook_id: newId(),
      url: 'https://example.com/hook',
      project_id,
      owner_id: owner.caller.user_id,
      status: 'disabled' as const,
      reason: 'it failed for 3 days',
    };
    const event = newEvent('webhook.disabled', { actor: 'webhook-dispatcher', project_id }, data) as NotifyingEvent;
    await at.told(event, owner.caller.user_id);
    expect((await at.listOf(owner)).items).toMatchObject([{ kind: 'webhook_disabled', level: 'warning', project_id }]);
    expect((await at.listOf(other)).items).toEqual([]);
  });
});

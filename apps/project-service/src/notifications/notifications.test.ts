import type { Notification } from '@claude-cli/proto/platform/v1/notifications';
import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Inboxes, openInboxes } from '../testing/inboxes.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { filterOf, openInbox } from './inbox.ts';
import { markForUser, tidiedAfter } from './marks.ts';
import { everybody } from './notification.ts';
import { trim } from './notify.ts';

describe('notifications', () => {
  let platform: TestPlatform;
  let at: Inboxes;

  beforeAll(async () => {
    platform = await startTestPlatform();
    at = await openInboxes(platform);
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const idsOf = (items: Pick<Notification, 'id'>[]) => items.map(({ id }) => id);

  test('for everybody are one document, which each user marks alone', async () => {
    const [one, other] = await Promise.all([at.person(), at.person()]);
    const id = await at.told(at.alert('Disk full'), everybody);
    expect(await at.audienceCount(one.caller.user_id)).toBe(0);
    const { notifications } = platform;
    const read = await notifications.readNotification({ notification_id: id }, one);
    expect(read).toMatchObject({ id, kind: 'alert', level: 'error', message: 'Disk full!', read: true });
    expect(await at.listOf(one)).toMatchObject({ items: [{ id, read: true }], total: 1, unread_count: 0 });
    expect(await at.listOf(other)).toMatchObject({ items: [{ id, read: false }], total: 1, unread_count: 1 });
    await notifications.dismissNotification({ notification_id: id }, one);
    expect(await at.listOf(one)).toMatchObject({ items: [], total: 0, unread_count: 0 });
    await expect(notifications.readNotification({ notification_id: id }, one)).rejects.toMatchObject({
      httpStatus: 404,
    });
    expect(await at.listOf(other)).toMatchObject({ items: [{ id, read: false }], unread_count: 1 });
  });

  test('for everybody concern no account that was made later, and nobody who does not want their kind', async () => {
    const early = await at.person();
    await at.told(at.alert('Old news'), everybody);
    const late = await at.person();
    await platform.maintenance.startMaintenance({ message: 'New disks' }, platform.admin);
    const started = await until('the maintenance', async () =>
      (await at.listOf(late)).items.find(({ message }) => message === 'New disks'),
    );
    expect(started).toMatchObject({ kind: 'maintenance', level: 'warning', title: 'System Maintenance' });
    expect(await at.messagesOf(late)).toEqual(['New disks']);
    expect(await at.messagesOf(early)).toEqual(['New disks', 'Old news!']);
    await platform.users.updatePreferences({ notifications: { maintenance: false } }, early);
    expect(await at.listOf(early)).toMatchObject({ items: [{ message: 'Old news!' }], total: 1, unread_count: 1 });
    const request = { notification_id: started.id };
    await expect(platform.notifications.readNotification(request, early)).rejects.toMatchObject({ httpStatus: 404 });
    await platform.maintenance.endMaintenance({}, platform.admin);
    await until('its end', async () => (await at.listOf(late)).total === 2);
  });

  test('are listed newest first, in pages, by level, and by whether they were read', async () => {
    const user = await at.person();
    const first = await at.toldTo(user, 'first');
    const second = await at.told(at.endFor(user, 'second', 'task.completed'), user.caller.user_id);
    const third = await at.told(at.alert('third'), everybody);
    const fourth = await at.told(at.alert('fourth'), everybody);
    for (const notification_id of [first, third])
      await platform.notifications.readNotification({ notification_id }, user);
    const found = async (request: object) => idsOf((await at.listOf(user, request)).items);
    expect(await found({})).toEqual([fourth, third, second, first]);
    expect(await found({ unread: true })).toEqual([fourth, second]);
    expect(await found({ unread: false })).toEqual([third, first]);
    expect(await found({ level: 'error' })).toEqual([fourth, third, first]);
    expect(await found({ level: 'success', unread: false })).toEqual([]);
    expect(await at.listOf(user, { page: 2, page_size: 3 })).toMatchObject({
      items: [{ id: first, read: true }],
      total: 4,
      unread_count: 2,
    });
  });

  test('are marked as read up to a time, or all of them, everybody’s among them', async () => {
    const user = await at.person();
    await at.toldTo(user, 'first');
    await at.told(at.alert('second'), everybody);
    const [{ created_at: before = '' } = {}] = (await at.listOf(user)).items;
    await until('the clock to go on', () => new Date().toISOString() > before);
    const third = await at.toldTo(user, 'third');
    const fourth = await at.told(at.alert('fourth'), everybody);
    const { notifications } = platform;
    expect(await notifications.readAllNotifications({ before }, user)).toEqual({ read_count: 2, unread_count: 2 });
    expect(idsOf((await at.listOf(user, { unread: true })).items)).toEqual([fourth, third]);
    expect(await notifications.readAllNotifications({ before }, user)).toEqual({ read_count: 0, unread_count: 2 });
    expect(await notifications.readAllNotifications({}, user)).toEqual({ read_count: 2, unread_count: 0 });
    expect((await at.listOf(user)).items.map(({ read }) => read)).toEqual([true, true, true, true]);
  });

  test('of others can be neither seen, read nor dismissed', async () => {
    const [owner, other] = await Promise.all([at.person(), at.person()]);
    const id = await at.toldTo(owner, 'mine');
    const refused = { code: 'RESOURCE_NOT_FOUND', details: { notification_id: id } };
    const { notifications } = platform;
    for (const somebody of [other, platform.admin]) {
      expect(idsOf((await at.listOf(somebody)).items)).not.toContain(id);
      const [read, dismissed] = [notifications.readNotification, notifications.dismissNotification];
      await expect(read({ notification_id: id }, somebody)).rejects.toMatchObject(refused);
      await expect(dismissed({ notification_id: id }, somebody)).rejects.toMatchObject(refused);
      await notifications.readAllNotifications({}, somebody);
    }
    expect(await at.listOf(owner)).toMatchObject({ items: [{ id, read: false }], unread_count: 1 });
  });

  test('are kept up to a number, the newest, and for so many days', async () => {
    const user = await at.person();
    const ids: string[] = [];
    for (const title of ['one', 'two', 'three', 'four']) ids.push(await at.toldTo(user, title));
    await platform.notifications.dismissNotification({ notification_id: ids[2] ?? '' }, user);
    const { ctx } = platform;
    await trim(ctx.notifications, user.caller.user_id, 3);
    expect(idsOf((await at.listOf(user)).items)).toEqual([ids[3], ids[1]]);
    await trim(ctx.notifications, user.caller.user_id, 2);
    expect(idsOf((await at.listOf(user)).items)).toEqual([ids[3]]);
    const stored = await ctx.notifications.findById(ids[3]).lean();
    expect(Number(stored?.expires_at) - Number(stored?.created_at)).toBe(30 * 24 * 3_600_000);
    const indexes = await ctx.notifications.collection.indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expires_at: 1 }, expireAfterSeconds: 0 }));
  });

  test('that are gone leave no marks for ever', async () => {
    const user = await at.person();
    const id = await at.told(at.alert('stays'), everybody);
    const { ctx } = platform;
    const gone = Array.from({ length: tidiedAfter }, () => newId());
    await markForUser(ctx, user.caller.user_id, 'read', gone);
    await platform.notifications.readNotification({ notification_id: id }, user);
    expect(await ctx.notificationMarks.findById(user.caller.user_id).lean()).toMatchObject({
      read: [id],
      dismissed: [],
    });
  });

  test('marked at the same time are all marked', async () => {
    const user = await at.person();
    const ids = await Promise.all(['a', 'b', 'c', 'd'].map((title) => at.told(at.alert(title), everybody)));
    await Promise.all(ids.map((notification_id) => platform.notifications.readNotification({ notification_id }, user)));
    expect(await at.listOf(user)).toMatchObject({ total: 4, unread_count: 0 });
  });

  test('are found by indexes that give their order', async () => {
    const user = await at.person();
    const { ctx } = platform;
    const inbox = await openInbox(ctx, { caller: user.caller } as never);
    const full = { ...inbox, marks: { read: [newId()], dismissed: [newId()] }, unwanted: ['alert' as const] };
    const newest = { created_at: -1, _id: -1 } as const;
    for (const request of [{}, { unread: true }, { unread: false }, { level: 'error' as const }]) {
      const plan = await planOf(ctx.notifications.find(filterOf(full, request)).sort(newest));
      expect(plan).toContain('IXSCAN');
      expect(sortsByItself(plan)).toBe(false);
    }
    const all = { audience: everybody, dismissed: { $in: [false, true] } };
    const trimmed = await planOf(ctx.notifications.find(all).sort({ created_at: -1 }));
    expect(trimmed).toContain('IXSCAN');
    expect(sortsByItself(trimmed)).toBe(false);
  });
});

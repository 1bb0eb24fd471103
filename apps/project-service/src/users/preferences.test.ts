import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson, signIn } from '../testing/people.ts';
import { signedIn, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { defaultPreferences, maxLayoutLength, maxNotificationName, maxNotifications } from './preferences.ts';

describe('preferences', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  async function person() {
    const { username } = await createPerson(platform);
    return signIn(platform, username);
  }

  test('what is given is merged, notifications key by key, the layout as a whole', async () => {
    const { users } = platform;
    const user = await person();
    const layout = { widgets: ['tasks', 'projects'], columns: 3 };
    const notifications = { email: false, project_updates: false, 'a.b': true, $set: true };
    await users.updatePreferences({ theme: 'dark', notifications, dashboard_layout: layout }, user);
    const given = { timezone: 'America/New_York', notifications: { push: true }, dashboard_layout: { columns: 2 } };
    const answer = await users.updatePreferences(given, user);
    const preferences = {
      theme: 'dark',
      language: 'en',
      timezone: 'America/New_York',
      notifications: { ...notifications, push: true, task_updates: true },
      dashboard_layout: { columns: 2 },
    };
    expect(answer).toEqual({ preferences, updated_at: expect.any(String) });
    expect((await users.getProfile({}, user)).preferences).toEqual(preferences);
    expect(await users.getPreferences({ user_id: user.caller.user_id }, platform.visitor)).toEqual({ preferences });
  });

  test('changes at the same time are all kept', async () => {
    const { users } = platform;
    const user = await person();
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => users.updatePreferences({ notifications: { [name]: true } }, user)));
    const { preferences } = await users.getPreferences({ user_id: user.caller.user_id }, platform.visitor);
    expect(preferences?.notifications).toMatchObject({ a: true, b: true, c: true, d: true });
  });

  test('an unknown user has the defaults; an account that is gone changes nothing', async () => {
    const { users, visitor } = platform;
    expect(await users.getPreferences({ user_id: newId() }, visitor)).toEqual({ preferences: defaultPreferences });
    const gone = users.updatePreferences({ theme: 'dark', notifications: {} }, signedIn(newId()));
    await expect(gone).rejects.toMatchObject({ code: 'AUTH_TOKEN_INVALID' });
  });

  test('an account keeps a bounded amount', async () => {
    const { users } = platform;
    const user = await person();
    const many = (prefix: string) => Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`${prefix}${n}`, true]));
    await users.updatePreferences({ notifications: many('a') }, user);
    const refused = (field: string) => ({ httpStatus: 422, details: { field } });
    const more = users.updatePreferences({ notifications: many('b') }, user);
    await expect(more).rejects.toMatchObject(refused('notifications'));
    const long = users.updatePreferences({ notifications: { ['n'.repeat(maxNotificationName + 1)]: true } }, user);
    await expect(long).rejects.toMatchObject(refused('notifications'));
    const dashboard_layout = { text: 'x'.repeat(maxLayoutLength) };
    const large = users.updatePreferences({ notifications: {}, dashboard_layout }, user);
    await expect(large).rejects.toMatchObject(refused('dashboard_layout'));
    const { preferences } = await users.getPreferences({ user_id: user.caller.user_id }, platform.visitor);
    const kept = Object.keys(preferences?.notifications as object);
    expect(kept.length).toBeLessThanOrEqual(maxNotifications);
    expect(kept).toHaveLength(53);
  });
});

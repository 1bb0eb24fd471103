import { expect, test } from '@jest/globals';
import { outcomeOf } from '../support/users.ts';
import { type Reference, time } from './reference.ts';

/** Sessions, as the API reference shows them. */
export function sessions(reference: () => Reference): void {
  const session = {
    session_id: 'x',
    project_id: 'x',
    user_id: 'x',
    status: 'active',
    created_at: time,
    last_accessed: time,
    expires_at: time,
    settings: { theme: 'dark' },
  };

  test('are opened, listed, changed, restored and closed, and remember what happened in them', async () => {
    const settings = { theme: 'dark', auto_save: true, notifications: true };
    const opened = await reference().shows<{ session_id: string }>(
      'POST',
      '/api/sessions/',
      { project_id: reference().projectId, settings },
      201,
      session,
    );
    const { session_id } = opened;
    const { settings: _, user_id: _u, ...listed } = session;
    await reference().shows('GET', `/api/sessions/?status=active&project_id=${reference().projectId}`, undefined, 200, {
      sessions: [{ ...listed, project_name: 'Reference' }],
      total: 3,
    });
    await reference().shows('GET', `/api/sessions/${session_id}`, undefined, 200, session);
    const { id } = await reference().newTask('As it was');
    const restore_point = new Date().toISOString();
    const changed = { settings: { theme: 'light', auto_save: false } };
    expect(await reference().call('PUT', `/api/sessions/${session_id}`, changed)).toMatchObject({
      settings: { ...settings, ...changed.settings },
    });
    const inSession = { 'x-session-id': session_id };
    await reference().running.admin.request('PUT', `/api/tasks/${id}`, { title: 'Changed', priority: 9 }, inSession);
    const body = { restore_point, include_tasks: true, include_settings: true };
    expect(await reference().call('POST', `/api/sessions/${session_id}/restore`, body)).toMatchObject({
      session_id,
      settings,
      settings_restored: true,
      tasks: [{ task_id: id, fields: expect.arrayContaining(['title', 'priority']) }],
    });
    expect(await reference().call('GET', `/api/tasks/${id}`)).toMatchObject({ title: 'As it was', priority: 1 });
    const { history } = await reference().call<{ history: { action: string; request: string | null }[] }>(
      'GET',
      `/api/sessions/${session_id}/history`,
    );
    expect(history.map(({ action }) => action)).toEqual([
      'session_created',
      'settings_changed',
      'request',
      'settings_restored',
      'task_restored',
    ]);
    expect(history[2]?.request).toBe('PUT /api/tasks/{task_id}');
    await reference().call('DELETE', `/api/sessions/${session_id}`);
    const late = await reference().running.admin.request('GET', '/api/tasks/', undefined, inSession);
    expect(outcomeOf(late)).toEqual([404, 'RESOURCE_NOT_FOUND']);
  });
}

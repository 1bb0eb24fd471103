import { expect, test } from '@jest/globals';
import { taskWithStatus } from '../support/tasks.ts';
import { outcomeOf } from '../support/users.ts';
import { type Entity, type Page, type Reference, time } from './reference.ts';

const fullTask = {
  id: 'task-uuid',
  title: 'Implement user authentication',
  description: 'Add JWT-based authentication to the API',
  project_id: 'project-uuid',
  status: 'pending',
  priority: 1,
  progress_percentage: 0,
  estimated_duration: '02:30:00',
  actual_duration: null,
  assigned_to: 'user-uuid',
  created_by: 'user-uuid',
  created_at: time,
  updated_at: time,
  started_at: null,
  completed_at: null,
  tags: ['authentication'],
  metadata: { component: 'backend', complexity: 'medium' },
};

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** Tasks, as the API reference shows them. */
export function tasks(reference: () => Reference): void {
  let taskId: string;

  test('are created', async () => {
    const body = {
      title: 'Implement user authentication',
      description: 'Add JWT-based authentication to the API',
      project_id: reference().projectId,
      priority: 1,
      estimated_duration: '02:30:00',
      assigned_to: reference().me,
      tags: ['authentication', 'security'],
      metadata: { component: 'backend', complexity: 'medium' },
    };
    const task = await reference().shows<Entity>('POST', '/api/tasks/', body, 201, fullTask);
    expect(task).toMatchObject({ ...body, status: 'pending', progress_percentage: 0, created_by: reference().me });
    expect(task.id).toMatch(uuid);
    taskId = task.id;
  });

  test('are listed with every filter, sorted and paged, with links that keep the other parameters', async () => {
    const summary = { id: 'x', title: 'x', status: 'x', priority: 1, progress_percentage: 0, assigned_to: 'x' };
    const page = { total: 1, page: 1, page_size: 50, pages: 1, has_next: false, has_previous: false };
    const query = `project_id=${reference().projectId}&status=pending&assigned_to=${reference().me}&page=1&page_size=50`;
    await reference().shows('GET', `/api/tasks/?${query}`, undefined, 200, {
      items: [{ ...summary, created_at: time, updated_at: time }],
      ...page,
    });
    const whole =
      'search=authentication&status=pending,running&created_after=2025-07-01T00:00:00Z&tags=security,authentication&sort=priority&order=desc&page=1&page_size=25';
    const { items, pagination } = await reference().call<Page & { pagination: { links: Record<string, string> } }>(
      'GET',
      `/api/tasks/?${whole}`,
    );
    expect(items.map(({ id }) => id)).toEqual([taskId]);
    expect(pagination).toMatchObject({ total: 1, page: 1, page_size: 25, pages: 1 });
    expect(pagination.links.last).toContain('tags=security,authentication&sort=priority');
    for (const [filter, total] of [
      ['priority=1', 1],
      ['priority=2', 0],
      ['status=completed,failed', 0],
      ['tags=security,nothing', 0],
      ['created_before=2025-07-01T00:00:00Z', 0],
    ] as const) {
      const found = await reference().call<Page>('GET', `/api/tasks/?project_id=${reference().projectId}&${filter}`);
      expect([filter, found.total]).toEqual([filter, total]);
    }
  });

  test.each([
    ['authentication', 1],
    ['"user authentication"', 1],
    ['"authentication user"', 0],
    ['auth* AND JWT', 1],
    ['auth* AND NOT jwt', 0],
    ['nothing OR (auth* AND api)', 1],
    ['title:authentication', 1],
    ['title:jwt', 0],
    ['description:"JWT-based authentication"', 1],
    ['AUTHENTICATION', 1],
  ])('are searched by %s', async (search, total) => {
    const found = await reference().call<Page>(
      'GET',
      `/api/tasks/?project_id=${reference().projectId}&search=${encodeURIComponent(search)}`,
    );
    expect(found.total).toBe(total);
  });

  test.each(['(', 'a AND', '"open', '*', 'nonsense:x', '/.*/'])('refuse the search %s', async (search) => {
    const answer = await reference().send('GET', `/api/tasks/?search=${encodeURIComponent(search)}`);
    expect([answer.status, answer.body.error?.details.field]).toEqual([422, 'search']);
  });

  test('are shown in detail with dependencies and history', async () => {
    const before = await reference().newTask('Setup database schema');
    await reference().call('PUT', `/api/tasks/${before.id}`, { status: 'completed' });
    await reference().call('PUT', `/api/tasks/${taskId}`, {
      dependencies: [{ depends_on_task_id: before.id }],
      status: 'running',
    });
    const dependency = { id: 'x', depends_on_task_id: 'x', dependency_type: 'blocks' };
    const change = { timestamp: time, action: 'x', old_value: 'x', new_value: 'x', user_id: 'x' };
    const detail = await reference().shows<{ history: object[] }>('GET', `/api/tasks/${taskId}`, undefined, 200, {
      ...fullTask,
      started_at: time,
      actual_duration: '01:15:30',
      dependencies: [{ ...dependency, task: { title: 'x', status: 'completed' } }],
      history: [change],
    });
    expect(detail).toMatchObject({ dependencies: [{ task: { title: 'Setup database schema', status: 'completed' } }] });
    expect(detail.history).toContainEqual(
      expect.objectContaining({
        action: 'status_changed',
        old_value: 'pending',
        new_value: 'running',
        user_id: reference().me,
      }),
    );
    const cycle = await reference().send('PUT', `/api/tasks/${before.id}`, {
      dependencies: [{ depends_on_task_id: taskId }],
    });
    expect([cycle.status, cycle.body.error?.details.field]).toEqual([422, 'dependencies']);
  });

  test('are updated in part', async () => {
    const body = {
      title: 'Implement user authentication (Updated)',
      status: 'running',
      progress_percentage: 75,
      metadata: { component: 'backend', complexity: 'high', notes: 'Increased complexity' },
    };
    const updated = await reference().shows<object>('PUT', `/api/tasks/${taskId}`, body, 200, {
      ...fullTask,
      updated_at: time,
    });
    expect(updated).toMatchObject({ ...body, priority: 1, tags: ['authentication', 'security'] });
    expect(await reference().call('PUT', `/api/tasks/${taskId}`, { status: 'completed' })).toMatchObject({
      progress_percentage: 100,
      completed_at: expect.any(String),
    });
    expect(outcomeOf(await reference().send('PUT', `/api/tasks/${taskId}`, { status: 'cancelled' }))).toEqual([
      409,
      'RESOURCE_CONFLICT',
    ]);
  });

  test('tell their history with the names of users', async () => {
    const { history } = await reference().shows<{ history: object[] }>(
      'GET',
      `/api/tasks/${taskId}/history`,
      undefined,
      200,
      {
        task_id: 'x',
        history: [{ id: 'x', timestamp: time, action: 'created', user_id: 'x', user_name: 'John Doe', details: {} }],
      },
    );
    expect(history[0]).toMatchObject({
      action: 'created',
      user_name: 'admin',
      details: { initial_data: { title: 'Implement user authentication', status: 'pending' } },
    });
    expect(history).toContainEqual(
      expect.objectContaining({
        action: 'status_changed',
        details: expect.objectContaining({ old_value: 'pending', new_value: 'running' }),
      }),
    );
  });

  test('are changed many at once, each by itself', async () => {
    const ids = [await reference().newTask('One'), await reference().newTask('Two')].map(({ id }) => id);
    const absent = '018f0000-0000-7000-8000-000000000000';
    const bulk = (operation: string, data?: object, task_ids = ids) =>
      reference().call('POST', '/api/tasks/bulk', { operation, task_ids, ...(data && { data }) });
    const everything = { affected_count: 2, successful: ids, failed: [], errors: [] };
    const finish = { status: 'completed', progress_percentage: 100 };
    expect(await bulk('update_status', finish)).toEqual({ operation: 'update_status', ...everything });
    expect(await bulk('assign', { assigned_to: reference().me })).toMatchObject(everything);
    expect(await bulk('add_tags', { tags: ['a', 'b'] })).toMatchObject(everything);
    expect(await bulk('remove_tags', { tags: ['a'] })).toMatchObject(everything);
    expect(await bulk('set_priority', { priority: 7 }, [...ids, absent])).toMatchObject({
      affected_count: 2,
      successful: ids,
      failed: [absent],
      errors: [{ task_id: absent, code: 'TASK_NOT_FOUND', message: expect.any(String) }],
    });
    expect(await reference().call('GET', `/api/tasks/${ids[0]}`)).toMatchObject({
      status: 'completed',
      assigned_to: reference().me,
      tags: ['b'],
      priority: 7,
    });
    expect(await bulk('delete')).toMatchObject(everything);
    expect(outcomeOf(await reference().send('GET', `/api/tasks/${ids[0]}`))).toEqual([404, 'TASK_NOT_FOUND']);
  });

  test('are executed, cancelled and retried', async () => {
    const { id } = await reference().newTask('Run', { command: 'sleep 30' });
    const body = { priority: 'high', options: { timeout: 3600, retry_attempts: 3 } };
    const queued = { task_id: 'x', execution_id: 'x', status: 'queued', queue_position: 3, estimated_start_time: time };
    expect(await reference().shows('POST', `/api/tasks/${id}/execute`, body, 200, queued)).toMatchObject({
      status: 'queued',
    });
    expect(outcomeOf(await reference().send('POST', `/api/tasks/${id}/execute`, {}))).toEqual([
      409,
      'TASK_ALREADY_RUNNING',
    ]);
    await taskWithStatus(reference().running.admin, id, ['running']);
    const cancelled = { task_id: 'x', status: 'cancelled', cancelled_at: time, reason: 'Requirements changed' };
    await reference().shows('POST', `/api/tasks/${id}/cancel`, { reason: 'Requirements changed' }, 200, cancelled);
    const retried = { task_id: 'x', execution_id: 'x', status: 'queued', retry_attempt: 2 };
    expect(await reference().shows('POST', `/api/tasks/${id}/retry`, undefined, 200, retried)).toMatchObject({
      retry_attempt: 2,
    });
    await reference().call('POST', `/api/tasks/${id}/cancel`, {});
  });

  test('are deleted', async () => {
    const { id } = await reference().newTask('Gone');
    const answer = { message: 'Task deleted successfully', deleted_at: time };
    expect(await reference().shows('DELETE', `/api/tasks/${id}`, undefined, 200, answer)).toMatchObject({
      message: answer.message,
    });
    expect(outcomeOf(await reference().send('GET', `/api/tasks/${id}`))).toEqual([404, 'TASK_NOT_FOUND']);
  });
}

import { until } from '@claude-cli/shared/testing/until';
import { expect, test } from '@jest/globals';
import { outcomeOf } from '../support/users.ts';
import { type Entity, type Page, type Reference, time } from './reference.ts';

/** Projects, as the API reference shows them. */
export function projects(reference: () => Reference): void {
  const limits = { max_tasks: 500, max_concurrent_tasks: 5, storage_limit: '1GB' };
  const settings = { theme: 'dark', notifications: true, auto_assign: false };
  const counts = { total_tasks: 0, completed_tasks: 0, pending_tasks: 0, running_tasks: 0 };
  const fullProject = {
    id: 'project-uuid',
    name: 'E-commerce Platform',
    description: 'Full-stack',
    status: 'active',
    created_by: 'x',
    created_at: time,
    updated_at: time,
    settings,
    resource_limits: limits,
    statistics: counts,
  };
  let id: string;

  test('are created, listed, shown and updated', async () => {
    const body = {
      name: 'E-commerce Platform',
      description: 'Full-stack e-commerce platform with React and FastAPI',
      settings,
      resource_limits: limits,
    };
    const created = await reference().shows<Entity>('POST', '/api/projects/', body, 201, fullProject);
    expect(created).toMatchObject({ ...body, status: 'active', created_by: reference().me, statistics: counts });
    id = created.id;
    const { resource_limits: _l, settings: _s, updated_at: _u, ...summary } = fullProject;
    await reference().shows(
      'GET',
      `/api/projects/?status=active&created_by=${reference().me}&page=1&page_size=20`,
      undefined,
      200,
      {
        items: [summary],
        ...{ total: 5, page: 1, page_size: 20, pages: 1 },
      },
    );
    const done = await reference().call<Entity>('POST', '/api/tasks/', {
      title: 'Setup user authentication',
      project_id: id,
    });
    await reference().call('PUT', `/api/tasks/${done.id}`, { status: 'running' });
    await reference().call('PUT', `/api/tasks/${done.id}`, { status: 'completed' });
    // What happened is recorded a moment after it was answered.
    await until('what happened to be recorded', async () => {
      const { recent_activity } = await reference().call<{ recent_activity: object[] }>('GET', `/api/projects/${id}`);
      return recent_activity.length >= 3;
    });
    const detail = await reference().shows<object>('GET', `/api/projects/${id}`, undefined, 200, {
      ...fullProject,
      statistics: { ...counts, failed_tasks: 0, completion_rate: 0.6, average_task_duration: '01:45:30' },
      recent_activity: [{ timestamp: time, action: 'task_completed', task_title: 'x', user_name: 'x' }],
    });
    expect(detail).toMatchObject({
      statistics: { total_tasks: 1, completed_tasks: 1, completion_rate: 1 },
      recent_activity: [
        { action: 'task_completed', task_title: 'Setup user authentication', user_name: 'admin' },
        {},
        {},
      ],
    });
    const change = {
      name: 'E-commerce Platform v2',
      description: 'Updated description',
      status: 'active',
      settings: { theme: 'light', notifications: false },
    };
    expect(await reference().shows('PUT', `/api/projects/${id}`, change, 200, fullProject)).toMatchObject({
      ...change,
      settings: { ...settings, ...change.settings },
    });
  });

  test('list their tasks, are cloned and analysed', async () => {
    const listed = await reference().call<Page>(
      'GET',
      `/api/projects/${id}/tasks?status=completed&page=1&page_size=50`,
    );
    expect(listed).toMatchObject({ total: 1, page: 1, page_size: 50, pages: 1, has_next: false, has_previous: false });
    const plain = { name: 'E-commerce Platform Copy', include_tasks: false, include_settings: true };
    expect(await reference().shows('POST', `/api/projects/${id}/clone`, plain, 201, fullProject)).toMatchObject({
      name: plain.name,
      resource_limits: limits,
      settings: { theme: 'light' },
      statistics: counts,
    });
    const second = await reference().call<Entity>('POST', '/api/tasks/', {
      title: 'Then',
      project_id: id,
      dependencies: [{ depends_on_task_id: listed.items[0]?.id }],
    });
    const copy = await reference().call<Entity>('POST', `/api/projects/${id}/clone`, {
      name: 'With tasks',
      include_tasks: true,
    });
    expect(copy).toMatchObject({ statistics: { total_tasks: 2, pending_tasks: 2, completed_tasks: 0 } });
    const { items } = await reference().call<{ items: { id: string; title: string }[] }>(
      'GET',
      `/api/projects/${copy.id}/tasks`,
    );
    const then = items.find(({ title }) => title === 'Then');
    const first = items.find(({ title }) => title !== 'Then');
    expect(then?.id).not.toBe(second.id);
    expect(await reference().call('GET', `/api/tasks/${then?.id}`)).toMatchObject({
      dependencies: [{ depends_on_task_id: first?.id }],
    });
    const analytics = await reference().shows<{ task_trends: Record<string, number[]> }>(
      'GET',
      `/api/projects/${id}/analytics?period=30d`,
      undefined,
      200,
      {
        project_id: 'x',
        period: '30d',
        summary: { total_tasks: 1, completed_tasks: 1, average_completion_time: '02:15:30', productivity_score: 0.85 },
        task_trends: { created_per_day: [5], completed_per_day: [3] },
        performance_metrics: {
          average_task_duration: '02:15:30',
          median_task_duration: '01:45:00',
          completion_rate: 0.784,
          on_time_completion_rate: 0.692,
        },
        team_performance: [
          { user_id: 'x', user_name: 'x', tasks_completed: 25, average_duration: '01:55:00', completion_rate: 0.89 },
        ],
      },
    );
    expect(analytics).toMatchObject({ summary: { total_tasks: 2, completed_tasks: 1 } });
    expect(analytics.task_trends.created_per_day).toHaveLength(30);
    expect(analytics.task_trends.created_per_day?.reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  test('are read-only while archived, and keep to their limits', async () => {
    await reference().call('PUT', `/api/projects/${id}`, { status: 'archived' });
    const task = { title: 'Too late', project_id: id };
    expect(outcomeOf(await reference().send('POST', '/api/tasks/', task))).toEqual([409, 'PROJECT_ARCHIVED']);
    expect(outcomeOf(await reference().send('PUT', `/api/projects/${id}`, { name: 'x' }))).toEqual([
      409,
      'PROJECT_ARCHIVED',
    ]);
    await reference().call('PUT', `/api/projects/${id}`, { status: 'active', resource_limits: { max_tasks: 3 } });
    expect((await reference().send('POST', '/api/tasks/', task)).status).toBe(201);
    expect(outcomeOf(await reference().send('POST', '/api/tasks/', task))).toEqual([409, 'PROJECT_LIMIT_EXCEEDED']);
  });

  test('are deleted', async () => {
    expect((await reference().send('DELETE', `/api/projects/${id}`)).status).toBe(200);
    expect(outcomeOf(await reference().send('GET', `/api/projects/${id}`))).toEqual([404, 'PROJECT_NOT_FOUND']);
  });
}

import type { ListTasksRequest } from '@claude-cli/proto/platform/v1/tasks';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';

const asked = (given: Partial<ListTasksRequest>): ListTasksRequest => ({ status: [], tags: [], ...given });

describe('tasks', () => {
  let platform: TestPlatform;
  let project_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Docs' }, platform.admin)).id;
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('a task is created as asked, with defaults for the rest, and read back', async () => {
    const { tasks, admin } = platform;
    const metadata = { component: 'backend', 'dotted.key': 1, nested: { $dollar: [null, { deep: true }] } };
    const given = { description: 'All of them', estimated_duration: '02:30:00', tags: ['a', 'b', 'a'], metadata };
    const created = await tasks.createTask(newTask(project_id, given), admin);
    expect(created).toMatchObject({
      title: 'Write the docs',
      status: 'pending',
      priority: 1,
      progress_percentage: 0,
      estimated_duration: '02:30:00',
      created_by: admin.caller.user_id,
      tags: ['a', 'b'],
      metadata,
    });
    const detail = await tasks.getTask({ task_id: created.id }, admin);
    expect(detail).toMatchObject({ ...created, dependencies: [] });
    expect(detail.history).toMatchObject([{ action: 'created', user_id: admin.caller.user_id }]);
  });

  test('attempts of one request at the same time make one task', async () => {
    const { tasks, admin, ctx } = platform;
    const creates = { id: newId(), again: true };
    const made = await Promise.all(
      Array.from({ length: 5 }, () => tasks.createTask(newTask(project_id), { ...admin, creates })),
    );
    expect(made.map(({ id }) => id)).toEqual(made.map(() => creates.id));
    expect(await ctx.tasks.countDocuments({ _id: creates.id })).toBe(1);
    const stranger = tasks.createTask(newTask(project_id), { ...someone(), creates });
    await expect(stranger).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
  });

  test('history names who did what, and shows a change as soon as it was answered', async () => {
    const { tasks, admin } = platform;
    const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
    await tasks.updateTask(change(task_id, { status: 'running', progress_percentage: 75 }), admin);
    await tasks.updateTask(change(task_id, { title: 'Rewrite the docs' }), admin);
    const { history } = await tasks.getTaskHistory({ task_id }, admin);
    expect(history).toMatchObject([
      {
        action: 'created',
        user_name: 'admin',
        details: { initial_data: { title: 'Write the docs', status: 'pending' } },
      },
      { action: 'status_changed', details: { old_value: 'pending', new_value: 'running' } },
      {
        action: 'updated',
        details: { changes: { title: { old_value: 'Write the docs', new_value: 'Rewrite the docs' } } },
      },
    ]);
    await until('the outbox to be told', async () => {
      const stored = await platform.ctx.tasks.findById(task_id).lean();
      return stored?.outbox.length === 0;
    });
    expect(await platform.ctx.history.countDocuments({ task_id })).toBe(3);
  });

  test('a status moves only along the legal transitions', async () => {
    const { tasks, admin } = platform;
    const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
    const done = await tasks.updateTask(change(task_id, { status: 'completed' }), admin);
    expect(done).toMatchObject({ status: 'completed', progress_percentage: 100, completed_at: expect.any(String) });
    const illegal = tasks.updateTask(change(task_id, { status: 'cancelled' }), admin);
    await expect(illegal).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT', details: { field: 'status' } });
  });

  test('a task is assigned only to users who exist', async () => {
    const { tasks, admin } = platform;
    const unknown = { assigned_to: newId() };
    const refused = { code: 'VALIDATION_ERROR', details: { field: 'assigned_to' } };
    await expect(tasks.createTask(newTask(project_id, unknown), admin)).rejects.toMatchObject(refused);
    const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
    await expect(tasks.updateTask(change(task_id, unknown), admin)).rejects.toMatchObject(refused);
    const assigned = await tasks.updateTask(change(task_id, { assigned_to: admin.caller.user_id }), admin);
    expect(assigned.assigned_to).toBe(admin.caller.user_id);
  });

  test('a status that stays is no change, even while an execution has it', async () => {
    const { tasks, admin } = platform;
    const { id: task_id } = await tasks.createTask(newTask(project_id, { command: 'true' }), admin);
    await tasks.executeTask({ task_id }, admin);
    const renamed = await tasks.updateTask(change(task_id, { title: 'Renamed', status: 'pending' }), admin);
    expect(renamed).toMatchObject({ title: 'Renamed', status: 'pending' });
    const moved = tasks.updateTask(change(task_id, { status: 'completed' }), admin);
    await expect(moved).rejects.toMatchObject({ code: 'TASK_ALREADY_RUNNING' });
    await tasks.cancelTask({ task_id }, admin);
  });

  test('changes made at the same time are all made', async () => {
    const { tasks, admin } = platform;
    const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
    const changes = [{ title: 'New' }, { priority: 50 }, { tags: ['new'] }, { description: 'New' }];
    await Promise.all(changes.map((given) => tasks.updateTask(change(task_id, given), admin)));
    expect(await tasks.getTask({ task_id }, admin)).toMatchObject(Object.assign({}, ...changes));
  });

  test('fields sent as null are cleared, where that makes sense', async () => {
    const { tasks, admin } = platform;
    const given = { assigned_to: admin.caller.user_id, tags: ['a'], estimated_duration: '00:10:00' };
    const { id: task_id } = await tasks.createTask(newTask(project_id, given), admin);
    const cleared_fields = ['assigned_to', 'tags', 'estimated_duration'];
    const cleared = await tasks.updateTask(change(task_id, { cleared_fields }), admin);
    expect(cleared).toMatchObject({ assigned_to: undefined, tags: [], estimated_duration: undefined });
    const refused = tasks.updateTask(change(task_id, { cleared_fields: ['title'] }), admin);
    await expect(refused).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'title' } });
  });

  test('a deleted task is gone from every answer, its record and history stay', async () => {
    const { tasks, admin, ctx } = platform;
    const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
    await tasks.deleteTask({ task_id }, admin);
    await expect(tasks.getTask({ task_id }, admin)).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    await expect(tasks.deleteTask({ task_id }, admin)).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
    expect(await ctx.tasks.findById(task_id).lean()).toMatchObject({ deleted_by: admin.caller.user_id });
    await until('the history', async () => (await ctx.history.countDocuments({ task_id })) === 2);
  });

  test('a task that is deleted while it is queued does not stay queued', async () => {
    const { tasks, admin, ctx } = platform;
    for (let round = 0; round < 10; round++) {
      const { id: task_id } = await tasks.createTask(newTask(project_id, { command: 'true' }), admin);
      await Promise.allSettled([tasks.executeTask({ task_id }, admin), tasks.deleteTask({ task_id }, admin)]);
      const isDeleted = (await ctx.tasks.findById(task_id).lean())?.deleted_at !== null;
      const isQueued = (await ctx.executions.exists({ task_id, active: true })) !== null;
      expect(isDeleted && isQueued).toBe(false);
    }
  });

  test('lists filter, sort and page, and count all that match', async () => {
    const { tasks, admin, projects } = platform;
    const { id } = await projects.createProject({ name: 'Lists' }, admin);
    for (let n = 0; n < 5; n++) {
      const given = {
        title: `Task ${n}`,
        priority: n,
        tags: n % 2 ? ['odd', 'x'] : ['x'],
        description: n === 3 ? 'Größe' : '',
      };
      await tasks.createTask(newTask(id, given), admin);
    }
    const titles = async (given: Partial<ListTasksRequest>) => {
      const { items, total } = await tasks.listTasks(asked({ project_id: id, ...given }), admin);
      return { titles: items.map(({ title }) => title), total };
    };
    expect(await titles({ page: 2, page_size: 2 })).toEqual({ titles: ['Task 2', 'Task 1'], total: 5 });
    expect(await titles({ sort: 'priority', order: 'asc', page_size: 2 })).toEqual({
      titles: ['Task 0', 'Task 1'],
      total: 5,
    });
    expect(await titles({ priority: 3, sort: 'title', order: 'asc' })).toEqual({
      titles: ['Task 3', 'Task 4'],
      total: 2,
    });
    expect(await titles({ tags: ['odd', 'x'], order: 'asc' })).toEqual({ titles: ['Task 1', 'Task 3'], total: 2 });
    expect(await titles({ search: 'GRÖSSE grosse' })).toEqual({ titles: [], total: 0 });
    expect(await titles({ search: 'GRÖßE task' })).toEqual({ titles: ['Task 3'], total: 1 });
    expect(await titles({ status: ['running', 'failed'] })).toEqual({ titles: [], total: 0 });
    expect(await titles({ created_after: new Date(Date.now() + 60_000).toISOString() })).toEqual({
      titles: [],
      total: 0,
    });
  });

  test('an outsider sees and changes nothing of a project', async () => {
    const { tasks, admin } = platform;
    const outsider = someone();
    const { id: task_id } = await tasks.createTask(newTask(project_id), admin);
    const denied = { code: 'PROJECT_ACCESS_DENIED' };
    await expect(tasks.getTask({ task_id }, outsider)).rejects.toMatchObject(denied);
    await expect(tasks.createTask(newTask(project_id), outsider)).rejects.toMatchObject(denied);
    await expect(tasks.listTasks(asked({ project_id }), outsider)).rejects.toMatchObject(denied);
    expect(await tasks.listTasks(asked({}), outsider)).toEqual({ items: [], total: 0 });
    const nowhere = tasks.createTask(newTask(newId()), admin);
    await expect(nowhere).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
  });

  test('an archived project is read-only within moments', async () => {
    const { tasks, projects, admin } = platform;
    const { id } = await projects.createProject({ name: 'Old' }, admin);
    const { id: task_id } = await tasks.createTask(newTask(id), admin);
    await projects.updateProject({ project_id: id, status: 'archived' }, admin);
    await until('the archive to be noticed', () =>
      tasks.updateTask(change(task_id, { priority: Math.floor(Math.random() * 100) }), admin).then(
        () => false,
        ({ code }) => code === 'PROJECT_ARCHIVED',
      ),
    );
    expect(await tasks.getTask({ task_id }, admin)).toMatchObject({ id: task_id });
  });

  test('a project holds no more tasks than it may', async () => {
    const { tasks, projects, admin } = platform;
    const { id } = await projects.createProject({ name: 'Small', resource_limits: { max_tasks: 1 } }, admin);
    await tasks.createTask(newTask(id), admin);
    const more = tasks.createTask(newTask(id), admin);
    await expect(more).rejects.toMatchObject({ code: 'PROJECT_LIMIT_EXCEEDED', details: { max_tasks: 1 } });
  });

  test('a dependency shows the other task, which must be in the same project', async () => {
    const { tasks, admin } = platform;
    const other = await tasks.createTask(newTask(project_id, { title: 'Schema' }), admin);
    const dependencies = [{ depends_on_task_id: other.id }];
    const { id: task_id } = await tasks.createTask(newTask(project_id, { dependencies }), admin);
    expect((await tasks.getTask({ task_id }, admin)).dependencies).toMatchObject([
      { depends_on_task_id: other.id, dependency_type: 'blocks', task: { title: 'Schema', status: 'pending' } },
    ]);
    const missing = tasks.createTask(newTask(project_id, { dependencies: [{ depends_on_task_id: newId() }] }), admin);
    await expect(missing).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'dependencies' } });
  });

  test('statistics and activity of a project follow its tasks', async () => {
    const { tasks, projects, admin } = platform;
    const { id } = await projects.createProject({ name: 'Counted' }, admin);
    const [first] = await Promise.all([tasks.createTask(newTask(id), admin), tasks.createTask(newTask(id), admin)]);
    await tasks.updateTask(change(first.id, { status: 'completed' }), admin);
    const counts = { total_tasks: 2, completed_tasks: 1, pending_tasks: 1, running_tasks: 0 };
    const detail = await until('the activity', async () => {
      const project = await projects.getProject({ project_id: id }, admin);
      return project.recent_activity.length === 3 && project;
    });
    expect(detail.statistics).toMatchObject({ ...counts, failed_tasks: 0, completion_rate: 0.5 });
    expect(detail.recent_activity[0]).toMatchObject({ action: 'task_completed', user_name: 'admin' });
    const list = await projects.listProjects({ status: [], search: 'counted' }, admin);
    expect(list.items[0]?.statistics).toEqual(counts);
  });
});

import type { BulkData, BulkUpdateTasksRequest, CreateTaskRequest } from '@claude-cli/proto/platform/v1/tasks';
import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newTask } from '../testing/requests.ts';

describe('the same done to many tasks', () => {
  let platform: TestPlatform;
  let project_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Many' }, platform.admin)).id;
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const create = async (given: Partial<CreateTaskRequest> = {}) =>
    (await platform.tasks.createTask(newTask(project_id, given), platform.admin)).id;
  const bulk = (operation: string, task_ids: string[], data?: Partial<BulkData>, origin = platform.admin) => {
    const request: BulkUpdateTasksRequest = { operation, task_ids, ...(data && { data: { tags: [], ...data } }) };
    return platform.tasks.bulkUpdateTasks(request, origin);
  };
  const read = (task_id: string) => platform.tasks.getTask({ task_id }, platform.admin);

  test('as the reference shows it: a status and its progress', async () => {
    const ids = await Promise.all([create(), create(), create()]);
    expect(await bulk('update_status', ids, { status: 'completed', progress_percentage: 100 })).toEqual({
      operation: 'update_status',
      affected_count: 3,
      successful: ids,
      failed: [],
      errors: [],
    });
    for (const id of ids) expect(await read(id)).toMatchObject({ status: 'completed', progress_percentage: 100 });
    const { history } = await platform.tasks.getTaskHistory({ task_id: ids[0] ?? '' }, platform.admin);
    expect(history.at(-1)).toMatchObject({ action: 'status_changed', user_name: 'admin' });
  });

  test('sets an assignee, labels and a priority, and deletes', async () => {
    const [a, b] = [await create({ tags: ['x', 'y'] }), await create()];
    const ids = [a, b];
    const { user_id } = platform.admin.caller;
    await bulk('assign', ids, { assigned_to: user_id });
    await bulk('add_tags', ids, { tags: ['y', 'z'] });
    await bulk('set_priority', ids, { priority: 0 });
    expect(await read(a)).toMatchObject({ assigned_to: user_id, tags: ['x', 'y', 'z'], priority: 0 });
    expect(await read(b)).toMatchObject({ assigned_to: user_id, tags: ['y', 'z'], priority: 0 });
    expect(await bulk('remove_tags', ids, { tags: ['x', 'none', 'z'] })).toMatchObject({ affected_count: 2 });
    expect((await read(a)).tags).toEqual(['y']);
    expect(await bulk('delete', ids)).toMatchObject({ successful: ids });
    await expect(read(a)).rejects.toMatchObject({ code: 'TASK_NOT_FOUND' });
  });

  test('tells for each task that failed why, keeps the order, and counts a repeated id once', async () => {
    const { executeTask } = platform.tasks;
    const [pending, done, running, full] = await Promise.all([
      create(),
      create(),
      create(),
      create({ tags: Array.from({ length: 50 }, (_, n) => `tag ${n}`) }),
    ]);
    const missing = newId();
    await bulk('update_status', [done], { status: 'completed' });
    await executeTask({ task_id: running }, platform.admin);
    const outcome = await bulk('update_status', [running, done, pending, missing, done], { status: 'cancelled' });
    expect(outcome).toMatchObject({ affected_count: 1, successful: [pending], failed: [running, done, missing] });
    expect(outcome.errors).toMatchObject([
      { task_id: running, code: 'TASK_ALREADY_RUNNING' },
      { task_id: done, code: 'RESOURCE_CONFLICT', message: expect.stringContaining('completed to cancelled') },
      { task_id: missing, code: 'TASK_NOT_FOUND' },
    ]);
    const labelled = await bulk('add_tags', [full, pending], { tags: ['one more'] });
    expect(labelled).toMatchObject({ successful: [pending], errors: [{ code: 'VALIDATION_VALUE_TOO_LONG' }] });
    expect((await read(full)).tags).toHaveLength(50);
    expect((await bulk('delete', [running])).errors).toMatchObject([{ task_id: running, code: 'RESOURCE_IN_USE' }]);
  });

  test('respects who may change what', async () => {
    const id = await create();
    const { errors } = await bulk('delete', [id], undefined, someone());
    expect(errors).toMatchObject([{ task_id: id, code: 'PROJECT_ACCESS_DENIED' }]);
  });

  test.each<[string, Partial<BulkData> | undefined, string, string]>([
    ['update_status', undefined, 'VALIDATION_REQUIRED_FIELD', 'data.status'],
    ['update_status', { progress_percentage: 5 }, 'VALIDATION_REQUIRED_FIELD', 'data.status'],
    ['assign', {}, 'VALIDATION_REQUIRED_FIELD', 'data.assigned_to'],
    ['assign', { assigned_to: newId() }, 'VALIDATION_ERROR', 'data.assigned_to'],
    ['add_tags', { tags: [] }, 'VALIDATION_REQUIRED_FIELD', 'data.tags'],
    ['remove_tags', undefined, 'VALIDATION_REQUIRED_FIELD', 'data.tags'],
    ['set_priority', { status: 'completed' }, 'VALIDATION_REQUIRED_FIELD', 'data.priority'],
    ['set_priority', { priority: 1, status: 'completed' }, 'VALIDATION_ERROR', 'data.status'],
    ['update_status', { status: 'running', tags: ['x'] }, 'VALIDATION_ERROR', 'data.tags'],
    ['delete', { priority: 1 }, 'VALIDATION_ERROR', 'data.priority'],
    ['explode', undefined, 'VALIDATION_ERROR', 'operation'],
  ])('refuses %s with %j as a whole: %s for %s', async (operation, data, code, field) => {
    const id = await create();
    await expect(bulk(operation, [id], data)).rejects.toMatchObject({ code, details: { field } });
  });
});

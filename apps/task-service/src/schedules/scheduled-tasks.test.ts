import { permissionsOf } from '@claude-cli/shared/caller';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { planOf } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';
import { scheduledIn } from './require-scheduling.ts';

describe('a scheduled task', () => {
  let platform: TestPlatform;
  let project_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Scheduled' }, platform.admin)).id;
  });
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  const create = async (cron = '0 3 * * *') =>
    (await platform.tasks.createTask(newTask(project_id, { schedule: { cron } }), platform.admin)).id;
  const read = (task_id: string) => platform.tasks.getTask({ task_id }, platform.admin);
  const update = (task_id: string, given: Parameters<typeof change>[1], origin = platform.admin) =>
    platform.tasks.updateTask(change(task_id, given), origin);

  test('tells its schedule and when it comes next, and so does its history when that is changed', async () => {
    const { tasks, admin } = platform;
    const set_by = admin.caller.user_id;
    const schedule = { cron: '0 3 * * *', timezone: 'Europe/Berlin', priority: 'low' } as const;
    const created = await tasks.createTask(newTask(project_id, { schedule }), admin);
    const told = { ...schedule, set_by, next_run_at: expect.any(String), missed_at: undefined };
    expect(created.schedule).toMatchObject(told);
    expect((await read(created.id)).schedule).toMatchObject(told);
    const ahead = Date.parse(created.schedule?.next_run_at ?? '') - Date.now();
    expect(ahead).toBeGreaterThan(0);
    expect(ahead).toBeLessThanOrEqual(25 * 60 * 60_000);

    const changed = await update(created.id, { schedule: { cron: '0 4 * * *' } });
    const terms = { cron: '0 4 * * *', timezone: 'UTC', priority: 'normal', set_by };
    expect(changed.schedule).toMatchObject(terms);
    expect((await read(created.id)).history.at(-1)).toMatchObject({
      action: 'updated',
      old_value: { ...schedule, set_by },
      new_value: terms,
    });
    const { updated_at } = await update(created.id, { schedule: { cron: '0  4 * * *', timezone: 'UTC' } });
    expect(updated_at).toBe(changed.updated_at);

    const ended = await update(created.id, { cleared_fields: ['schedule'] });
    expect(ended.schedule).toBeUndefined();
    expect((await read(created.id)).history.at(-1)).toMatchObject({ old_value: terms, new_value: null });
  });

  test('is refused for a schedule that is not valid', async () => {
    const { tasks, admin } = platform;
    const task_id = await create();
    const wrong = { cron: '0 0 30 2 *' };
    const refused = { code: 'VALIDATION_ERROR', details: { field: 'schedule.cron' } };
    await expect(tasks.createTask(newTask(project_id, { schedule: wrong }), admin)).rejects.toMatchObject(refused);
    await expect(update(task_id, { schedule: wrong })).rejects.toMatchObject(refused);
    const timezone = { schedule: { cron: '0 3 * * *', timezone: 'Mars/Olympus' } };
    await expect(update(task_id, timezone)).rejects.toMatchObject({ details: { field: 'schedule.timezone' } });
  });

  test('may be made so only by somebody who may execute it', async () => {
    const { admin, tasks } = platform;
    const caller = { ...admin.caller, permissions: ['read', 'write'] as const };
    const writer: Origin = { ...admin, caller };
    const refused = { code: 'AUTH_INSUFFICIENT_PERMISSIONS' };
    const request = newTask(project_id, { schedule: { cron: '0 3 * * *' } });
    await expect(tasks.createTask(request, writer)).rejects.toMatchObject(refused);
    const task_id = await create();
    await expect(update(task_id, { schedule: { cron: '0 4 * * *' } }, writer)).rejects.toMatchObject(refused);
    expect(await update(task_id, { title: 'Other' }, writer)).toMatchObject({ schedule: { cron: '0 3 * * *' } });
    expect(await update(task_id, { cleared_fields: ['schedule'] }, writer)).toMatchObject({ schedule: undefined });
  });

  test('is in the name of the one who set it last', async () => {
    const { admin, projects, users } = platform;
    const account = { username: `other-${newId()}`, password: newId(), email: `${newId()}@example.com` };
    const { id } = await users.createUser({ ...account, role: 'developer' }, admin);
    await projects.addMember({ project_id, user_id: id, role: 'editor' }, admin);
    const other: Origin = {
      ...admin,
      caller: { user_id: id, role: 'developer', permissions: permissionsOf.developer },
    };
    const task_id = await create();
    expect(await update(task_id, { schedule: { cron: '0 3 * * *' } }, other)).toMatchObject({
      schedule: { set_by: id },
    });
  });

  test('is one of at most 100 in its project', async () => {
    const { admin, ctx, projects, tasks } = platform;
    const { id } = await projects.createProject({ name: 'Full' }, admin);
    const request = newTask(id, { schedule: { cron: '0 3 * * *' } });
    const first = await tasks.createTask(request, admin);
    const stored = await ctx.tasks.findById(first.id).lean();
    if (!stored) throw new Error('no task');
    await ctx.tasks.insertMany(Array.from({ length: 99 }, () => ({ ...stored, _id: newId(), outbox: [] })));
    const refused = { code: 'PROJECT_LIMIT_EXCEEDED', details: { max_scheduled_tasks: 100 } };
    await expect(tasks.createTask(request, admin)).rejects.toMatchObject(refused);
    const plain = await tasks.createTask(newTask(id), admin);
    await expect(update(plain.id, { schedule: { cron: '0 3 * * *' } })).rejects.toMatchObject(refused);
    // Those that have one may change it, and one that is deleted makes room.
    expect(await update(first.id, { schedule: { cron: '0 5 * * *' } })).toMatchObject({ id: first.id });
    await tasks.deleteTask({ task_id: first.id }, admin);
    expect(await update(plain.id, { schedule: { cron: '0 3 * * *' } })).toMatchObject({ id: plain.id });
  });

  test('has no schedule in a copy of its project', async () => {
    const { admin, ctx, projects } = platform;
    const from = await projects.createProject({ name: 'Original' }, admin);
    await platform.tasks.createTask(newTask(from.id, { schedule: { cron: '0 3 * * *' } }), admin);
    const copy = await projects.cloneProject({ project_id: from.id, name: 'Copy', include_tasks: true }, admin);
    const task = await until('the copy', () =>
      ctx.tasks
        .findOne({ project_id: copy.id })
        .lean()
        .then((t) => t ?? false),
    );
    expect(task.schedule).toBeNull();
  });

  test('gets its schedule back with its session', async () => {
    const { admin, tasks } = platform;
    const inSession: Origin = { ...admin, caller: { ...admin.caller, session_id: newId() } };
    const task_id = await create('0 6 * * *');
    const point = new Date();
    await until('a later millisecond', () => Date.now() > point.getTime() + 1);
    await update(task_id, { cleared_fields: ['schedule'] }, inSession);
    const request = { session_id: inSession.caller.session_id ?? '', restore_point: point.toISOString() };
    expect(await tasks.restoreTasks(request, inSession)).toEqual({
      tasks: [{ task_id, fields: ['schedule'] }],
      skipped: [],
    });
    const { schedule } = await read(task_id);
    expect(schedule).toMatchObject({ cron: '0 6 * * *', set_by: admin.caller.user_id });
    expect(Date.parse(schedule?.next_run_at ?? '')).toBeGreaterThan(Date.now());
  });

  test('is found by an index in whatever way it is looked for', async () => {
    const { collection } = platform.ctx.tasks;
    const now = new Date();
    const filters = [
      { 'schedule.next_run_at': { $lte: now } },
      { 'schedule.pending.claimed_at': { $lte: now } },
      scheduledIn('p'),
    ];
    for (const filter of filters) {
      const plan = await planOf(collection.find(filter));
      expect({ filter, plan }).toEqual({ filter, plan: expect.stringContaining('schedule.') });
      expect(plan).not.toContain('COLLSCAN');
    }
  });
});

import type { ListTasksRequest } from '@claude-cli/proto/platform/v1/tasks';
import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { filterOf, pageOf } from './list-tasks.ts';
import { searchableOf } from './searchable.ts';
import { endedIndex, type Task } from './task.ts';
import { storedEarlier, upgradeTasks } from './upgrade-tasks.ts';

const day = (n: number) => new Date(Date.UTC(2026, 0, n));
const someUser = newId();

/** What the tasks of the test differ in; the n-th was created on the n-th of January. */
const given: Partial<Task>[] = [
  { title: 'Implement user authentication', tags: ['security', 'backend'], priority: 90 },
  { title: 'äpfel zählen', status: 'completed', priority: 10, assigned_to: someUser, actual_duration_ms: 60_000 },
  { title: 'Zebra report', description: 'About the user', status: 'running', tags: ['backend'], priority: 50 },
  { title: 'apply patches', status: 'failed', priority: 50, assigned_to: someUser, tags: ['security'] },
  { title: 'Bake the release', status: 'completed', priority: 90, actual_duration_ms: 120_000 },
];

function stored(project_id: string, fields: Partial<Task>, n: number): Task {
  const texts = { title: 'Task', description: '', tags: [], ...fields };
  const plain = {
    metadata: {},
    command: null,
    dependencies: [],
    claimed_dependencies: null,
    latest_run: null,
    schedule: null,
    outbox: [],
  };
  const times = { created_at: day(n), updated_at: day(30 - n), started_at: null, completed_at: null };
  return {
    ...{ _id: newId(), project_id, status: 'pending', priority: 1, progress_percentage: 0, assigned_to: null },
    ...{ estimated_duration_ms: null, actual_duration_ms: null, created_by: 'u', version: 1 },
    ...{ deleted_at: null, deleted_by: null },
    ...plain,
    ...times,
    ...texts,
    ...searchableOf(texts),
    ...fields,
  };
}

describe('lists of tasks', () => {
  let platform: TestPlatform;
  let project_id: string;
  // Other servers choose among indexes by what they hold, and their explanations of sorts differ.
  let isEmbedded: boolean;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Lists' }, platform.admin)).id;
    const { modules } = (await platform.ctx.tasks.db.db?.admin().buildInfo()) ?? {};
    isEmbedded = modules?.includes('embedded-mongo');
    const deleted = stored(project_id, { title: 'Deleted user', deleted_at: day(1), actual_duration_ms: 1 }, 9);
    await platform.ctx.tasks.insertMany([...given.map((fields, i) => stored(project_id, fields, i + 1)), deleted]);
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  /** The numbers of the tasks found, in their order, and the total. */
  const found = async (asked: Partial<ListTasksRequest>) => {
    const request = { project_id, status: [], tags: [], ...asked };
    const { items, total } = await platform.tasks.listTasks(request, platform.admin);
    return [items.map(({ title }) => given.findIndex((each) => each.title === title) + 1).join(' '), total];
  };

  test.each<[Partial<ListTasksRequest>, string, number]>([
    [{}, '5 4 3 2 1', 5],
    [{ order: 'asc' }, '1 2 3 4 5', 5],
    [{ sort: 'updated_at' }, '1 2 3 4 5', 5],
    [{ sort: 'title', order: 'asc' }, '2 4 5 1 3', 5],
    [{ sort: 'title' }, '3 1 5 4 2', 5],
    [{ sort: 'priority', page_size: 2 }, '5 1', 5],
    [{ sort: 'priority', page_size: 2, page: 2 }, '4 3', 5],
    [{ sort: 'priority', page_size: 2, page: 3 }, '2', 5],
    [{ page: 9 }, '', 5],
    [{ status: ['completed'] }, '5 2', 2],
    [{ status: ['pending', 'running', 'failed'] }, '4 3 1', 3],
    [{ status: ['cancelled'] }, '', 0],
    [{ tags: ['backend'] }, '3 1', 2],
    [{ tags: ['backend', 'security'] }, '1', 1],
    [{ priority: 50 }, '5 4 3 1', 4],
    [{ assigned_to: someUser, sort: 'priority' }, '4 2', 2],
    [{ created_after: day(2).toISOString(), created_before: day(4).toISOString() }, '3 2', 2],
    [{ search: 'user' }, '3 1', 2],
    [{ search: 'title:user' }, '1', 1],
    [{ search: 'tag:security -title:user' }, '4', 1],
    [{ search: '"user authentication" OR zebr*' }, '3 1', 2],
    [{ search: 'NOT (user OR security)' }, '5 2', 2],
    [{ search: 'user', status: ['running'], tags: ['backend'], priority: 50, sort: 'title' }, '3', 1],
  ])('%j finds %s', async (asked, numbers, total) => {
    expect(await found(asked)).toEqual([numbers, total]);
  });

  test('of one project are answered at its own address, too', async () => {
    const request = { project_id, status: [], tags: [], sort: 'title' as const };
    const { tasks, admin } = platform;
    expect(await tasks.listProjectTasks(request, admin)).toEqual(await tasks.listTasks(request, admin));
    const denied = tasks.listProjectTasks(request, someone());
    await expect(denied).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
  });

  test('refuse a search that cannot be understood, and tell where', async () => {
    await expect(found({ search: 'user AND' })).rejects.toMatchObject({
      code: 'VALIDATION_INVALID_FORMAT',
      details: { field: 'search', issue: 'position 6: a term is missing behind AND' },
    });
  });

  test('show changes of what is searched and sorted by', async () => {
    const { tasks, admin } = platform;
    const { id } = await platform.projects.createProject({ name: 'Changing' }, admin);
    const created = await tasks.createTask({ title: 'First', project_id: id, tags: ['old'], dependencies: [] }, admin);
    await tasks.createTask({ title: 'Middle', project_id: id, tags: [], dependencies: [] }, admin);
    const change = { title: 'Third', tags: ['new label'], cleared_fields: [], dependencies: [] };
    await tasks.updateTask({ task_id: created.id, ...change }, admin);
    const titles = async (asked: Partial<ListTasksRequest>) =>
      (await tasks.listTasks({ project_id: id, status: [], tags: [], ...asked }, admin)).items.map(
        ({ title }) => title,
      );
    expect(await titles({ sort: 'title', order: 'asc' })).toEqual(['Middle', 'Third']);
    expect(await titles({ search: 'title:third tag:"new label"' })).toEqual(['Third']);
    expect(await titles({ search: 'first OR old' })).toEqual([]);
  });

  test('statistics leave deleted tasks out and tell the mean duration of completed ones', async () => {
    const of = (...project_ids: string[]) => platform.tasks.getProjectStatistics({ project_ids }, platform.admin);
    const counts = { total_tasks: 5, completed_tasks: 2, pending_tasks: 1, running_tasks: 1, failed_tasks: 1 };
    const noAgent = { agent_runs: 0, agent_cost_usd: 0 };
    const alone = { ...counts, ...noAgent, completion_rate: 0.4, average_task_duration: '00:01:30' };
    expect((await of(project_id)).statistics).toEqual({ [project_id]: alone });
    const { statistics } = await of(project_id, 'none');
    expect(statistics[project_id]).toMatchObject(counts);
    expect(statistics.none).toMatchObject({ total_tasks: 0, completion_rate: 0 });
  });

  test('statistics of many tasks are the same, counted by indexes alone', async () => {
    const { projects, tasks, admin, ctx } = platform;
    const { id } = await projects.createProject({ name: 'Huge' }, admin);
    const all = Array.from({ length: 5_001 }, (_, n) =>
      stored(
        id,
        n < 1_500 ? { status: 'completed', completed_at: day(n), actual_duration_ms: n < 500 ? 1 : 60_000 } : {},
        n,
      ),
    );
    await ctx.tasks.collection.insertMany(all as never[]);
    const { statistics } = await tasks.getProjectStatistics({ project_ids: [id] }, admin);
    // The mean is that of the 1,000 that were completed last.
    expect(statistics[id]).toMatchObject({
      total_tasks: 5_001,
      completed_tasks: 1_500,
      average_task_duration: '00:01:00',
    });
    const together = await tasks.getProjectStatistics({ project_ids: [id, project_id] }, admin);
    expect(together.statistics[id]).toMatchObject({ total_tasks: 5_001, completed_tasks: 1_500, pending_tasks: 3_501 });
    expect(together.statistics[project_id]).toMatchObject({ total_tasks: 5, running_tasks: 1 });
    await ctx.tasks.collection.deleteMany({ project_id: id });
  });

  test('statistics of a large project are remembered for moments, but not how many tasks run', async () => {
    const { projects, tasks, admin, ctx } = platform;
    const { id } = await projects.createProject({ name: 'Large' }, admin);
    await ctx.tasks.collection.insertMany(Array.from({ length: 1_001 }, (_, n) => stored(id, {}, n)) as never[]);
    const counts = async () => (await tasks.getProjectStatistics({ project_ids: [id] }, admin)).statistics[id];
    expect(await counts()).toMatchObject({ total_tasks: 1_001, running_tasks: 0 });
    const more = [stored(id, {}, 1), stored(id, { status: 'running' }, 1)];
    await ctx.tasks.collection.insertMany(more as never[]);
    expect(await counts()).toMatchObject({ total_tasks: 1_002, pending_tasks: 1_001, running_tasks: 1 });
  });

  test('a project with more than a few tasks is counted by indexes alone, and its mean duration is remembered', async () => {
    const { projects, tasks, admin, ctx } = platform;
    const { id } = await projects.createProject({ name: 'Busy' }, admin);
    const add = (count: number, actual_duration_ms: number) => {
      const ended = { status: 'completed', completed_at: day(1), actual_duration_ms } as const;
      return ctx.tasks.collection.insertMany(Array.from({ length: count }, (_, n) => stored(id, ended, n)) as never[]);
    };
    const statistics = async () => (await tasks.getProjectStatistics({ project_ids: [id] }, admin)).statistics[id];
    await add(50, 60_000);
    expect(await statistics()).toMatchObject({ completed_tasks: 50, average_task_duration: '00:01:00' });
    await add(51, 120_000);
    const read = jest.spyOn(ctx.tasks, 'aggregate');
    for (let n = 0; n < 3; n++) {
      expect(await statistics()).toMatchObject({ completed_tasks: 101, average_task_duration: '00:01:30' });
    }
    expect(read).toHaveBeenCalledTimes(1);
    read.mockRestore();
    await ctx.tasks.collection.deleteMany({ project_id: id });
  });

  test('tasks of an earlier version are found and sorted once they are upgraded', async () => {
    const { ctx, projects, admin } = platform;
    const { id } = await projects.createProject({ name: 'Earlier' }, admin);
    const { term_texts: _, title_key: __, ...old } = stored(id, { title: 'Ärger', tags: ['legacy'] }, 1);
    await ctx.tasks.collection.insertOne({ ...old, terms: ['arger'] } as never);
    await Promise.all([upgradeTasks(ctx.tasks), upgradeTasks(ctx.tasks)]);
    expect(await ctx.tasks.countDocuments(storedEarlier)).toBe(0);
    expect(await ctx.tasks.findById(old._id).lean()).toMatchObject({ title_key: 'arger', terms: ['arger', 'legacy'] });
  });

  const everywhere = { project_id: { $in: ['a', 'b', 'c'] } };
  const sorts = ['created_at', 'updated_at', 'priority', 'title'] as const;
  const plan = async (visible: object, asked: Partial<ListTasksRequest>) => {
    const { sort = 'created_at', order } = pageOf(asked);
    const direction = order === 'asc' ? 1 : -1;
    const cursor = platform.ctx.tasks.collection
      .find({ ...visible, ...filterOf(asked) } as object)
      .sort({ [sort]: direction, _id: direction })
      .limit(50);
    return JSON.stringify((await cursor.explain('queryPlanner')).queryPlanner.winningPlan);
  };

  test.each(
    [{ project_id: 'a' }, everywhere, {}].flatMap((visible) =>
      [{}, { status: ['pending' as const] }, { status: ['pending' as const, 'failed' as const] }].flatMap((asked) =>
        sorts.map((sort) => ({ visible, asked: { ...asked, sort } })),
      ),
    ),
  )('an index gives the order of $visible with $asked', async ({ visible, asked }) => {
    for (const order of ['asc', 'desc'] as const) {
      const winning = await plan(visible, { ...asked, order });
      expect(winning).toContain('IXSCAN');
      expect(winning).not.toContain('COLLSCAN');
      if (isEmbedded) expect(winning).not.toContain('"SORT"');
    }
  });

  test.each<[object, Partial<ListTasksRequest>, string]>([
    [{}, { search: 'user' }, 'terms_1'],
    [{}, { search: 'auth*', sort: 'priority' }, 'terms_1'],
    [{ project_id: 'a' }, { search: '"user name" OR title:auth', status: ['failed'] }, 'terms_1'],
    [everywhere, { search: 'user -auth*', sort: 'title' }, 'terms_1'],
    [{}, { tags: ['a', 'b'], sort: 'title' }, 'tags_1'],
    [{ project_id: 'a' }, { tags: ['a'], status: ['failed', 'running'] }, 'tags_1'],
    [{ project_id: 'a' }, { search: 'NOT user' }, 'project_id_1_deleted_at_1_status_1'],
    [{ project_id: 'a' }, { priority: 5, sort: 'priority' }, 'priority_-1'],
    [{}, { assigned_to: 'u', sort: 'title' }, 'assigned_to_1_status_1_deleted_at_1_title_key'],
    [{}, { created_after: day(1).toISOString() }, 'created_at_-1'],
  ])('an index chosen for its selectivity answers %j with %j: %s', async (visible, asked, index) => {
    const winning = await plan(visible, asked);
    expect(winning).not.toContain('COLLSCAN');
    expect(winning).toContain('IXSCAN');
    if (isEmbedded) expect(winning).toContain(index);
  });

  test('an index answers counts, statistics and the search for tasks of an earlier version', async () => {
    const { collection } = platform.ctx.tasks;
    const plans = [
      await collection.find({ project_id, ...filterOf({ status: ['pending'] }) } as object).explain('queryPlanner'),
      await collection
        .find({ project_id, deleted_at: null, status: 'completed' })
        .sort({ completed_at: -1 })
        .hint(endedIndex)
        .explain('queryPlanner'),
      await collection.find({ project_id: { $in: [project_id, 'b'] }, deleted_at: null }).explain('queryPlanner'),
      await collection.find(storedEarlier).limit(200).explain('queryPlanner'),
      await collection.find({ created_by: 'u', deleted_at: null }).explain('queryPlanner'),
      await collection.find({ assigned_to: 'u', status: 'completed', deleted_at: null }).explain('queryPlanner'),
    ].map(({ queryPlanner }) => JSON.stringify(queryPlanner.winningPlan));
    for (const winning of plans) {
      expect(winning).toContain('IXSCAN');
      expect(winning).not.toContain('COLLSCAN');
    }
  });
});

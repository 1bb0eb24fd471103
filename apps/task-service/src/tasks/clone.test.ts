import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';

describe('the copy of a project’s tasks', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const newProject = async () => (await platform.projects.createProject({ name: 'Original' }, platform.admin)).id;
  const clone = (from_project_id: string, to_project_id: string) =>
    platform.tasks.cloneTasks({ from_project_id, to_project_id }, platform.admin, { deadlineMs: 25_000 });
  const copies = (project_id: string) => platform.ctx.tasks.find({ project_id }).sort({ created_at: 1 }).lean();

  test('has everything that can be planned, as pending, with dependencies among each other', async () => {
    const { tasks, admin, ctx } = platform;
    const from = await newProject();
    const { user_id } = admin.caller;
    const given = {
      description: 'In full',
      priority: 7,
      estimated_duration: '01:00:00',
      assigned_to: user_id,
      tags: ['a'],
      metadata: { 'dotted.key': { $dollar: 1 } },
      command: 'true',
    };
    const first = await tasks.createTask(newTask(from, { title: 'First', ...given }), admin);
    const gone = await tasks.createTask(newTask(from, { title: 'Gone' }), admin);
    const dependencies = [
      { depends_on_task_id: first.id },
      { depends_on_task_id: gone.id, dependency_type: 'relates_to' as const },
    ];
    await tasks.createTask(newTask(from, { title: 'Second', dependencies }), admin);
    await tasks.updateTask(change(first.id, { status: 'completed' }), admin);
    await tasks.deleteTask({ task_id: gone.id }, admin);

    const to = newId();
    expect(await clone(from, to)).toEqual({ count: 2 });
    const [one, two] = await copies(to);
    const fresh = { status: 'pending', progress_percentage: 0, created_by: user_id, version: 1, completed_at: null };
    const { estimated_duration: _, ...planned } = given;
    expect(one).toMatchObject({ title: 'First', ...planned, estimated_duration_ms: 3_600_000, ...fresh });
    expect(one?._id).not.toBe(first.id);
    expect(two).toMatchObject({ title: 'Second', ...fresh });
    expect(two?.dependencies).toMatchObject([{ depends_on_task_id: one?._id, dependency_type: 'blocks' }]);
    const history = await ctx.history.find({ project_id: to }).lean();
    expect(history.map(({ task_id, action }) => [task_id, action]).sort()).toEqual(
      [one, two].map((copy) => [copy?._id, 'created']).sort(),
    );
  });

  test('is the caller’s: what was another’s to do is nobody’s', async () => {
    const { admin, ctx } = platform;
    const from = await newProject();
    const { id } = await platform.tasks.createTask(newTask(from), admin);
    await ctx.tasks.updateOne({ _id: id }, { $set: { assigned_to: newId() } });
    const to = newId();
    await clone(from, to);
    expect((await copies(to))[0]).toMatchObject({ assigned_to: null });
  });

  test('goes on where it was interrupted, without doubles, and asked twice at once is still one', async () => {
    const { ctx } = platform;
    const from = await filledProject(600);
    const to = newId();
    await clone(from, to);
    const whole = await copies(to);
    const lost = whole.slice(300).map(({ _id }) => _id);
    await ctx.tasks.deleteMany({ _id: { $in: lost } });
    await ctx.history.deleteMany({ task_id: { $in: lost.slice(100) } });
    const counts = await Promise.all([clone(from, to), clone(from, to)]);
    expect(counts).toEqual([{ count: 600 }, { count: 600 }]);
    const after = await copies(to);
    expect(after.map(({ _id, title }) => [_id, title])).toEqual(whole.map(({ _id, title }) => [_id, title]));
    expect(await ctx.history.countDocuments({ project_id: to })).toBe(600);
  });

  test('is refused for more than 10,000 tasks', async () => {
    const from = await filledProject(10_001);
    const to = newId();
    const details = { max_tasks: 10_000 };
    await expect(clone(from, to)).rejects.toMatchObject({ code: 'PROJECT_LIMIT_EXCEEDED', details });
    expect(await copies(to)).toEqual([]);
  });

  const filledProject = async (count: number) => {
    const project_id = await newProject();
    await fill(project_id, count);
    return project_id;
  };
  const fill = async (project_id: string, count: number) => {
    const { tasks, admin, ctx } = platform;
    const created = await tasks.createTask(newTask(await newProject()), admin);
    const template = await ctx.tasks.findById(created.id).lean();
    if (!template) throw new Error('no task');
    const documents = Array.from({ length: count }, (_, n) => {
      return { ...template, _id: newId(), project_id, title: `Task ${n}`, created_at: new Date(1e12 + n), outbox: [] };
    });
    await ctx.tasks.insertMany(documents, { lean: true });
  };
});

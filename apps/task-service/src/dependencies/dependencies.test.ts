import type { NewDependency } from '@claude-cli/proto/platform/v1/tasks';
import { newId } from '@claude-cli/shared/ids';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newTask } from '../testing/requests.ts';
import { findCycle } from './find-cycle.ts';

describe('dependencies', () => {
  let platform: TestPlatform;
  let project_id: string;

  beforeAll(async () => {
    platform = await startTestPlatform();
    project_id = (await platform.projects.createProject({ name: 'Ordered' }, platform.admin)).id;
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const create = async (...blockers: string[]) => {
    const dependencies = blockers.map((depends_on_task_id) => ({ depends_on_task_id }));
    return (await platform.tasks.createTask(newTask(project_id, { dependencies }), platform.admin)).id;
  };
  const depend = (task_id: string, ...dependencies: (string | NewDependency)[]) =>
    platform.tasks.updateTask(
      change(task_id, {
        dependencies: dependencies.map((each) => (typeof each === 'string' ? { depends_on_task_id: each } : each)),
      }),
      platform.admin,
    );
  const shown = async (task_id: string) => (await platform.tasks.getTask({ task_id }, platform.admin)).dependencies;
  const stored = async (task_id: string) => {
    const task = await platform.ctx.tasks.findById(task_id).lean();
    return task?.dependencies.map(({ depends_on_task_id }) => depends_on_task_id) ?? [];
  };

  test('are replaced as a whole, those that stay keep their ids, and null clears them', async () => {
    const { tasks, admin } = platform;
    const [a, b, c] = await Promise.all([create(), create(), create()]);
    const task_id = await create(a, b);
    const [first, second] = await shown(task_id);
    await depend(task_id, b, c);
    const after = await shown(task_id);
    expect(after.map(({ depends_on_task_id }) => depends_on_task_id)).toEqual([b, c]);
    expect(after[0]?.id).toBe(second?.id);
    expect([first?.id, second?.id]).not.toContain(after[1]?.id);
    await depend(task_id, { depends_on_task_id: b, dependency_type: 'relates_to' });
    expect(await shown(task_id)).toMatchObject([{ id: second?.id, dependency_type: 'relates_to' }]);
    await tasks.updateTask(change(task_id, { title: 'Untouched' }), admin);
    expect(await shown(task_id)).toHaveLength(1);
    await tasks.updateTask(change(task_id, { cleared_fields: ['dependencies'] }), admin);
    expect(await shown(task_id)).toEqual([]);
    const { history } = await tasks.getTaskHistory({ task_id }, admin);
    expect(history.at(-1)).toMatchObject({
      action: 'updated',
      details: { changes: { dependencies: { old_value: [{ depends_on_task_id: b }], new_value: [] } } },
    });
  });

  test('on itself, on what is not there, and on tasks of other projects are refused', async () => {
    const { tasks, projects, admin } = platform;
    const elsewhere = await projects.createProject({ name: 'Elsewhere' }, admin);
    const foreign = await tasks.createTask(newTask(elsewhere.id), admin);
    const task_id = await create();
    for (const other of [task_id, newId(), foreign.id]) {
      const refused = { code: 'VALIDATION_ERROR', details: { field: 'dependencies' } };
      await expect(depend(task_id, other)).rejects.toMatchObject(refused);
    }
    const related = { depends_on_task_id: task_id, dependency_type: 'relates_to' as const };
    await expect(depend(task_id, related)).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
    expect(await stored(task_id)).toEqual([]);
  });

  test('that would close a cycle are refused by naming it, and nothing is left behind', async () => {
    const a = await create();
    const b = await create(a);
    const c = await create(b);
    const issue = `would close a cycle: ${[a, c, b, a].join(' → ')}`;
    await expect(depend(a, c)).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { issue } });
    expect(await platform.ctx.tasks.findById(a).lean()).toMatchObject({ dependencies: [], claimed_dependencies: null });
    // What is merely related holds nothing up.
    await depend(a, { depends_on_task_id: c, dependency_type: 'relates_to' });
    await expect(depend(a, c)).rejects.toMatchObject({ details: { field: 'dependencies' } });
  });

  test('on a deleted task stay, are shown without it, and hold nothing up', async () => {
    const { tasks, admin } = platform;
    const a = await create();
    const b = await create(a);
    const c = await create(b);
    await tasks.deleteTask({ task_id: b }, admin);
    expect(await shown(c)).toMatchObject([{ depends_on_task_id: b, task: undefined }]);
    await depend(a, c);
    await depend(c, b);
    expect(await stored(c)).toEqual([b]);
    const d = await create();
    await expect(depend(d, b)).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
    expect(await tasks.executeTask({ task_id: c }, admin)).toMatchObject({ status: 'queued' });
  });

  test('set at the same time never close a cycle', async () => {
    for (let round = 0; round < 15; round++) {
      const [a, b] = await Promise.all([create(), create()]);
      const outcomes = await Promise.allSettled([depend(a, b), depend(b, a)]);
      const [ofA, ofB] = [await stored(a), await stored(b)];
      expect(ofA.length + ofB.length).toBe(1);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });

  test('set around a ring at the same time leave it open', async () => {
    const ring = await Promise.all(Array.from({ length: 6 }, () => create()));
    const next = (place: number) => ring[(place + 1) % ring.length] ?? '';
    await Promise.allSettled(ring.map((id, place) => depend(id, next(place))));
    const closed = await Promise.all(ring.map(async (id, place) => (await stored(id)).includes(next(place))));
    expect(closed).toContain(false);
    expect(closed.filter(Boolean).length).toBeGreaterThan(0);
    const left = await platform.ctx.tasks.countDocuments({ _id: { $in: ring }, claimed_dependencies: { $ne: null } });
    expect(left).toBe(0);
  });

  test('claimed by a process that died are in nobody’s way after a while, those of one at work are', async () => {
    const { ctx } = platform;
    const [a, b] = await Promise.all([create(), create()]);
    const claim = (age: number) => ({ token: newId(), task_ids: [a], at: new Date(Date.now() - age) });
    await ctx.tasks.updateOne({ _id: b }, { $set: { claimed_dependencies: claim(1_000) } });
    await expect(depend(a, b)).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    await ctx.tasks.updateOne({ _id: b }, { $set: { claimed_dependencies: claim(60_000) } });
    const before = await ctx.tasks.findById(b).lean();
    await depend(a, b);
    // The version moved on, so the process that claimed is refused if it was only slow.
    const after = await ctx.tasks.findById(b).lean();
    expect(after).toMatchObject({ claimed_dependencies: null, version: (before?.version ?? 0) + 1 });
    await ctx.tasks.updateOne({ _id: a }, { $set: { claimed_dependencies: claim(60_000) } });
    const other = await create();
    await depend(a, other);
    expect(await stored(a)).toEqual([other]);
  });

  test('that lead to too many tasks are refused', async () => {
    const { ctx } = platform;
    const template = await ctx.tasks.findById(await create()).lean();
    if (!template) throw new Error('no task');
    const ids = Array.from({ length: 10_100 }, newId);
    // Each has the next fifty as blockers: with these, all are within three steps of the first.
    const wide = ids.slice(0, 210).map((_id, place) => {
      const from = 1 + place * 50;
      const dependencies = ids
        .slice(from, from + 50)
        .map((depends_on_task_id) => ({ id: newId(), depends_on_task_id, dependency_type: 'blocks' as const }));
      return { ...template, _id, dependencies, outbox: [] };
    });
    await ctx.tasks.insertMany(wide, { lean: true });
    const search = findCycle(ctx, newId(), ids.slice(0, 1));
    await expect(search).rejects.toMatchObject({ code: 'VALIDATION_ERROR', details: { field: 'dependencies' } });
    expect(await findCycle(ctx, newId(), ids.slice(-1))).toBeUndefined();
  });
});

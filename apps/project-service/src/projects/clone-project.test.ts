import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { listenTo } from '../testing/events.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { abandonedAfterMs, discardAbandonedClones } from './discard-clones.ts';
import { newProject } from './new-project.ts';
import { withDefaultLimits } from './project.ts';

describe('copies of projects', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterEach(() => {
    platform.tasks.beforeCopying = async () => {};
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  const settings = { theme: 'dark', 'a.b': [1] };
  const resource_limits = { max_tasks: 3, max_concurrent_tasks: 2, storage_limit: '2GB' };

  function source(owner = someone()) {
    const given = { name: 'Shop', description: 'Sells things', settings, resource_limits };
    return platform.projects.createProject(given, owner);
  }

  const isHidden = { clone_started_at: { $exists: true } };

  test('a viewer becomes the owner of an active copy with settings and limits, but without tasks', async () => {
    const { projects, ctx, tasks } = platform;
    const [owner, viewer] = [someone(), someone()];
    const { id: project_id } = await source(owner);
    tasks.pending.set(project_id, 2);
    const member = { user_id: viewer.caller.user_id, role: 'viewer' as const };
    await ctx.projects.updateOne({ _id: project_id }, { $push: { members: member }, $set: { status: 'archived' } });
    const copy = await projects.cloneProject({ project_id, name: 'Shop 2' }, viewer);
    expect(copy).toMatchObject({
      name: 'Shop 2',
      description: 'Sells things',
      status: 'active',
      created_by: viewer.caller.user_id,
      settings,
      resource_limits,
      statistics: { total_tasks: 0, pending_tasks: 0 },
    });
    expect(copy.id).not.toBe(project_id);
    const { statistics: _, ...rest } = copy;
    expect(await projects.getProject({ project_id: copy.id }, viewer)).toMatchObject(rest);
    expect(await projects.listMembers({ project_id: copy.id }, viewer)).toMatchObject({
      members: [{ user_id: viewer.caller.user_id, role: 'owner' }],
    });
    await expect(projects.getProject({ project_id: copy.id }, owner)).rejects.toMatchObject({
      code: 'PROJECT_ACCESS_DENIED',
    });
    expect(await ctx.projects.countDocuments(isHidden)).toBe(0);
  });

  test('without settings the copy has the defaults', async () => {
    const { id: project_id } = await source(platform.admin);
    const copy = await platform.projects.cloneProject(
      { project_id, name: 'Bare', include_settings: false },
      platform.admin,
    );
    expect(copy).toMatchObject({ settings: {}, resource_limits: withDefaultLimits(undefined) });
  });

  test('with tasks it is hidden until they are there, counts them, and is told once it can be seen', async () => {
    const { projects, tasks, ctx } = platform;
    const owner = someone();
    const { id: project_id } = await source(owner);
    tasks.pending.set(project_id, 2);
    await using told = await listenTo(platform, 'project.created');
    tasks.beforeCopying = async ({ from_project_id, to_project_id }) => {
      expect(from_project_id).toBe(project_id);
      const hidden = projects.checkAccess({ project_id: to_project_id }, owner);
      await expect(hidden).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
      expect((await projects.listProjects({ status: [] }, owner)).total).toBe(1);
      expect((await projects.listAccessibleProjects({}, owner)).project_ids).toEqual([project_id]);
      expect(await ctx.projects.findById(to_project_id).lean()).toMatchObject({ outbox: [], version: 0 });
    };
    const copy = await projects.cloneProject({ project_id, name: 'Full', include_tasks: true }, owner);
    expect(copy.statistics).toEqual({ total_tasks: 2, completed_tasks: 0, pending_tasks: 2, running_tasks: 0 });
    await until('its creation to be told', () => told.events.length > 0);
    const member_ids = [owner.caller.user_id];
    expect(told.events).toEqual([expect.objectContaining({ project_id: copy.id, version: 1 })]);
    expect(told.events).toMatchObject([{ data: { name: 'Full', status: 'active', member_ids } }]);
  });

  test('a copy that could not hold the tasks is refused before anything is made', async () => {
    const { projects, tasks, ctx } = platform;
    const owner = someone();
    const { id: project_id } = await source(owner);
    tasks.pending.set(project_id, 4);
    const before = await ctx.projects.countDocuments({});
    const cloned = projects.cloneProject({ project_id, name: 'Too small', include_tasks: true }, owner);
    await expect(cloned).rejects.toMatchObject({
      code: 'PROJECT_LIMIT_EXCEEDED',
      details: { max_tasks: 3, total_tasks: 4 },
    });
    expect(await ctx.projects.countDocuments({})).toBe(before);
  });

  test('a project that grew meanwhile is not copied beyond the limit', async () => {
    const { projects, tasks } = platform;
    const owner = someone();
    const { id: project_id } = await source(owner);
    tasks.pending.set(project_id, 3);
    tasks.beforeCopying = async () => void tasks.pending.set(project_id, 4);
    const cloned = projects.cloneProject({ project_id, name: 'Grown', include_tasks: true }, owner);
    await expect(cloned).rejects.toMatchObject({ code: 'PROJECT_LIMIT_EXCEEDED' });
    expect((await projects.listProjects({ status: [] }, owner)).total).toBe(1);
  });

  test('what is missing or foreign is not copied', async () => {
    const { projects } = platform;
    const { id: project_id } = await source();
    const cloned = (id: string) => projects.cloneProject({ project_id: id, name: 'Mine' }, someone());
    await expect(cloned(project_id)).rejects.toMatchObject({ code: 'PROJECT_ACCESS_DENIED' });
    await expect(cloned(newId())).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
  });

  test('a copy whose tasks cannot be copied is given up, and its tasks are deleted with it', async () => {
    const { projects, tasks } = platform;
    const owner = someone();
    const { id: project_id } = await source(owner);
    await using told = await listenTo(platform, 'project.deleted');
    let copyId = '';
    tasks.beforeCopying = async ({ to_project_id }) => {
      copyId = to_project_id;
      throw new PlatformError('DATABASE_ERROR', 'A database operation failed');
    };
    const cloned = projects.cloneProject({ project_id, name: 'Broken', include_tasks: true }, owner);
    await expect(cloned).rejects.toMatchObject({ code: 'DATABASE_ERROR' });
    await until('its deletion to be told', () => told.events.length > 0);
    expect(told.events).toMatchObject([{ project_id: copyId, data: { member_ids: [] } }]);
    expect((await projects.listProjects({ status: [] }, owner)).total).toBe(1);
  });

  test('a copy of which nobody knows how far it got waits for the sweep', async () => {
    const { projects, tasks, ctx } = platform;
    const owner = someone();
    const { id: project_id } = await source(owner);
    tasks.beforeCopying = async () => {
      throw new PlatformError('UPSTREAM_ERROR', 'no answer in time');
    };
    const cloned = projects.cloneProject({ project_id, name: 'Unsure', include_tasks: true }, owner);
    await expect(cloned).rejects.toMatchObject({ code: 'UPSTREAM_ERROR' });
    expect(await ctx.projects.countDocuments({ name: 'Unsure', ...isHidden })).toBe(1);
  });

  test('what a crash left is given up after a while, what is being made is left alone', async () => {
    const { ctx } = platform;
    const now = Date.now();
    const made = (ageMs: number) => {
      const made = { name: 'Left', description: '', settings: {}, created_by: newId() };
      const clone_started_at = new Date(now - ageMs);
      const project = newProject({ ...made, resource_limits: withDefaultLimits(undefined) });
      return { ...project, version: 0, deleted_at: clone_started_at, clone_started_at };
    };
    const [left, fresh] = [made(abandonedAfterMs + 1_000), made(abandonedAfterMs - 60_000)];
    await ctx.projects.create([left, fresh]);
    await using told = await listenTo(platform, 'project.deleted');
    // Two replicas sweep at once.
    await Promise.all([discardAbandonedClones(ctx), discardAbandonedClones(ctx)]);
    await until('its deletion to be told', () => told.events.length > 0);
    await discardAbandonedClones(ctx);
    const stored = await until('its outbox to be empty', async () => {
      const project = await ctx.projects.findById(left._id).lean();
      return project?.outbox.length === 0 && project;
    });
    expect(stored).toMatchObject({ version: 1, deleted_at: expect.any(Date) });
    expect(stored.clone_started_at).toBeUndefined();
    expect(told.events.map(({ project_id }) => project_id)).toEqual([left._id]);
    expect(await ctx.projects.findById(fresh._id).lean()).toMatchObject({ version: 0, outbox: [] });
    expect((await ctx.projects.findById(fresh._id).lean())?.clone_started_at).toEqual(fresh.clone_started_at);
  });
});

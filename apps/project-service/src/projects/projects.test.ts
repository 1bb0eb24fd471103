import { newId } from '@claude-cli/shared/ids';
import { searchFilter } from '@claude-cli/shared/search/search-filter';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { searchFields } from './searchable.ts';
import { upgradeProjects } from './upgrade-projects.ts';

describe('projects', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  test('attempts of one request at the same time make one project', async () => {
    const owner = { ...someone(), creates: { id: newId(), again: true } };
    const attempts = Array.from({ length: 5 }, () => platform.projects.createProject({ name: 'Once' }, owner));
    expect((await Promise.all(attempts)).map(({ id }) => id)).toEqual(attempts.map(() => owner.creates.id));
  });

  test('a project is created with defaults and read back by its owner', async () => {
    const { projects } = platform;
    const owner = someone();
    const settings = { theme: 'dark', 'a.b': [1, { $c: null }] };
    const created = await projects.createProject({ name: 'Shop', settings, resource_limits: { max_tasks: 5 } }, owner);
    expect(created).toMatchObject({
      name: 'Shop',
      description: '',
      status: 'active',
      created_by: owner.caller.user_id,
      settings,
      resource_limits: { max_tasks: 5, max_concurrent_tasks: 10, storage_limit: '1GB' },
      statistics: { total_tasks: 0, completed_tasks: 0, pending_tasks: 0, running_tasks: 0 },
    });
    const { statistics: _, ...rest } = created;
    const detail = await projects.getProject({ project_id: created.id }, owner);
    expect(detail).toMatchObject({ ...rest, recent_activity: [], statistics: { completion_rate: 0 } });
  });

  test('an update changes what is given, merges settings and limits, and counts as one version', async () => {
    const { projects, admin, ctx } = platform;
    const { id: project_id } = await projects.createProject({ name: 'One', settings: { a: 1, b: 2 } }, admin);
    const updated = await projects.updateProject(
      { project_id, name: 'Two', settings: { b: 3 }, resource_limits: { max_concurrent_tasks: 2 } },
      admin,
    );
    expect(updated).toMatchObject({
      name: 'Two',
      settings: { a: 1, b: 3 },
      resource_limits: { max_tasks: 1000, max_concurrent_tasks: 2 },
    });
    expect(await ctx.projects.findById(project_id).lean()).toMatchObject({
      version: 2,
      terms: ['two'],
      name_key: 'two',
    });
  });

  test('an archived project accepts nothing but its way out of the archive', async () => {
    const { projects, admin } = platform;
    const { id: project_id } = await projects.createProject({ name: 'Old' }, admin);
    await projects.updateProject({ project_id, status: 'archived' }, admin);
    const renamed = projects.updateProject({ project_id, name: 'New' }, admin);
    await expect(renamed).rejects.toMatchObject({ code: 'PROJECT_ARCHIVED' });
    expect(await projects.updateProject({ project_id, name: 'New', status: 'active' }, admin)).toMatchObject({
      name: 'New',
    });
  });

  test('an outsider is denied, an admin is owner everywhere, and members have their role', async () => {
    const { projects, admin, ctx } = platform;
    const [owner, viewer, outsider] = [someone(), someone(), someone()];
    const { id: project_id } = await projects.createProject({ name: 'Ours' }, owner);
    const member = { user_id: viewer.caller.user_id, role: 'viewer' as const };
    await ctx.projects.updateOne({ _id: project_id }, { $push: { members: member } });
    expect(await projects.checkAccess({ project_id }, admin)).toMatchObject({ role: 'owner', status: 'active' });
    expect(await projects.checkAccess({ project_id }, viewer)).toMatchObject({ role: 'viewer' });
    const denied = { code: 'PROJECT_ACCESS_DENIED' };
    await expect(projects.checkAccess({ project_id }, outsider)).rejects.toMatchObject(denied);
    await expect(projects.getProject({ project_id }, outsider)).rejects.toMatchObject(denied);
    await expect(projects.updateProject({ project_id, name: 'x' }, viewer)).rejects.toMatchObject(denied);
    await expect(projects.deleteProject({ project_id }, viewer)).rejects.toMatchObject(denied);
    expect((await projects.listProjects({ status: [] }, outsider)).total).toBe(0);
    expect((await projects.listProjects({ status: [] }, viewer)).items.map(({ id }) => id)).toEqual([project_id]);
    expect(await projects.listAccessibleProjects({}, viewer)).toEqual({ all: false, project_ids: [project_id] });
    expect(await projects.listAccessibleProjects({}, admin)).toEqual({ all: true, project_ids: [] });
  });

  test('lists filter, search, sort and page', async () => {
    const { projects } = platform;
    const owner = someone();
    for (const name of ['Alpha shop', 'Beta', 'Gamma shop']) {
      const { created_at = '' } = await projects.createProject({ name }, owner);
      // The next one is created at another time.
      await until('the clock to go on', () => Date.now() > Date.parse(created_at));
    }
    const names = async (given: object) => {
      const { items, total } = await projects.listProjects({ status: [], ...given }, owner);
      return [items.map(({ name }) => name), total];
    };
    expect(await names({ sort: 'name', order: 'asc' })).toEqual([['Alpha shop', 'Beta', 'Gamma shop'], 3]);
    expect(await names({ page: 2, page_size: 2 })).toEqual([['Alpha shop'], 3]);
    expect(await names({ search: 'SHOP', order: 'asc' })).toEqual([['Alpha shop', 'Gamma shop'], 2]);
    expect(await names({ search: 'name:"gamma shop" OR bet*' })).toEqual([['Gamma shop', 'Beta'], 2]);
    expect(await names({ search: 'shop NOT alpha' })).toEqual([['Gamma shop'], 1]);
    expect(await names({ search: 'description:shop' })).toEqual([[], 0]);
    await expect(names({ search: 'shop AND (' })).rejects.toMatchObject({
      code: 'VALIDATION_INVALID_FORMAT',
      details: { field: 'search' },
    });
    expect(await names({ status: ['archived', 'completed'] })).toEqual([[], 0]);
    expect(await names({ created_by: newId() })).toEqual([[], 0]);
    const beta = (await projects.listProjects({ status: [], search: 'beta' }, owner)).items[0];
    const gamma = (await projects.listProjects({ status: [], search: 'gamma' }, owner)).items[0];
    expect(await names({ created_after: gamma?.created_at })).toEqual([['Gamma shop'], 1]);
    const between = { created_after: beta?.created_at, created_before: gamma?.created_at };
    expect(await names(between)).toEqual([['Beta'], 1]);
  });

  test('a project with running tasks is not deleted; a deleted one is gone and its event told', async () => {
    const { projects, admin, tasks, ctx } = platform;
    const { id: project_id } = await projects.createProject({ name: 'Busy' }, admin);
    tasks.busyProjects.add(project_id);
    await expect(projects.deleteProject({ project_id }, admin)).rejects.toMatchObject({ code: 'RESOURCE_IN_USE' });
    tasks.busyProjects.clear();
    expect(await projects.deleteProject({ project_id }, admin)).toMatchObject({ deleted_at: expect.any(String) });
    const gone = { code: 'PROJECT_NOT_FOUND' };
    await expect(projects.getProject({ project_id }, admin)).rejects.toMatchObject(gone);
    await expect(projects.checkAccess({ project_id }, admin)).rejects.toMatchObject(gone);
    await until('its events to be told', async () => {
      const stored = await ctx.projects.findById(project_id).lean();
      return stored?.outbox.length === 0 && stored.deleted_by === admin.caller.user_id;
    });
  });

  test('projects of an earlier version are found and sorted once they are upgraded, by several replicas at once', async () => {
    const { projects, ctx } = platform;
    const owner = someone();
    const ids = [];
    for (const name of ['ähre', 'Bahn', 'auto']) ids.push((await projects.createProject({ name }, owner)).id);
    await ctx.projects.updateMany(
      { _id: { $in: ids } },
      { $unset: { term_texts: 1, name_key: 1 }, $set: { terms: [] } },
    );
    await Promise.all([upgradeProjects(ctx.projects), upgradeProjects(ctx.projects)]);
    const { items } = await projects.listProjects({ status: [], sort: 'name', order: 'asc' }, owner);
    expect(items.map(({ name }) => name)).toEqual(['ähre', 'auto', 'Bahn']);
    expect((await projects.listProjects({ status: [], search: 'name:AHRE' }, owner)).total).toBe(1);
  });

  test('every query is answered by an index, in the order asked for', async () => {
    const { collection } = platform.ctx.projects;
    const visible: object[] = [{ deleted_at: null }, { deleted_at: null, 'members.user_id': 'u' }];
    const recent = { deleted_at: null, created_at: { $gte: new Date(0), $lt: new Date() } };
    const others = [
      { deleted_at: null, created_by: 'u' },
      { deleted_at: null, status: { $in: ['archived', 'completed'] } },
      { deleted_at: null, ...searchFilter('a AND b*', searchFields) },
      { deleted_at: null, name_key: null },
      recent,
      { ...recent, 'members.user_id': 'u' },
    ];
    const plans = [
      ...visible.flatMap((filter) =>
        ['created_at', 'updated_at', 'name_key'].map((field) => collection.find(filter).sort({ [field]: -1, _id: -1 })),
      ),
      ...others.map((filter) => collection.find(filter).sort({ created_at: -1, _id: -1 })),
      collection.find({ clone_started_at: { $lt: new Date() } }).limit(100),
    ].map(planOf);
    for (const [at, plan] of (await Promise.all(plans)).entries()) {
      expect({ at, plan }).toEqual({ at, plan: expect.stringContaining('IXSCAN') });
      expect({ at, plan }).not.toEqual({ at, plan: expect.stringContaining('COLLSCAN') });
      if (at < 2 * 3) expect({ plan, sorts: sortsByItself(plan) }).toEqual({ plan, sorts: false });
    }
  });
});

import type { ProjectAccess_Role } from '@claude-cli/proto/platform/v1/projects';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listenTo } from '../testing/events.ts';
import { createPerson } from '../testing/people.ts';
import { signedIn, someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { maxMembers } from './members.ts';

describe('members of projects', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });

  async function account(full_name = 'Somebody', role: 'developer' | 'viewer' = 'developer') {
    const { id, username } = await createPerson(platform, { full_name, role });
    return { id, username, origin: signedIn(id, role) };
  }

  async function projectOf(owner: Origin, members: Record<string, ProjectAccess_Role> = {}) {
    const { id: project_id } = await platform.projects.createProject({ name: 'Shop' }, owner);
    for (const [user_id, role] of Object.entries(members)) {
      await platform.projects.addMember({ project_id, user_id, role }, owner);
    }
    return project_id;
  }

  test('members are added by id or by name, and listed in the order of their names', async () => {
    const { projects } = platform;
    const [owner, zoe, adam] = [await account('Mia'), await account('Zoe'), await account('Adam')];
    const project_id = await projectOf(owner.origin);
    const byId = await projects.addMember({ project_id, user_id: zoe.id, role: 'editor' }, owner.origin);
    expect(byId).toEqual({ user_id: zoe.id, username: zoe.username, full_name: 'Zoe', role: 'editor' });
    const username = adam.username.toUpperCase();
    expect(await projects.addMember({ project_id, username, role: 'viewer' }, owner.origin)).toMatchObject({
      user_id: adam.id,
      role: 'viewer',
    });
    const { members, total } = await projects.listMembers({ project_id }, adam.origin);
    expect(total).toBe(3);
    expect(members.map(({ full_name, role }) => [full_name, role])).toEqual([
      ['Adam', 'viewer'],
      ['Mia', 'owner'],
      ['Zoe', 'editor'],
    ]);
  });

  test('a member without an account is named by the id', async () => {
    const owner = someone();
    const project_id = await projectOf(owner);
    const { user_id } = owner.caller;
    expect(await platform.projects.listMembers({ project_id }, platform.admin)).toEqual({
      members: [{ user_id, username: user_id, full_name: user_id, role: 'owner' }],
      total: 1,
    });
  });

  test('an account is named exactly once, exists, is not disabled, and is added once', async () => {
    const { projects, users, admin } = platform;
    const [owner, user] = [await account(), await account()];
    const project_id = await projectOf(owner.origin);
    const added = (given: { user_id?: string; username?: string }) =>
      projects.addMember({ project_id, role: 'editor', ...given }, owner.origin);
    await expect(added({})).rejects.toMatchObject({ code: 'VALIDATION_REQUIRED_FIELD', details: { field: 'user_id' } });
    await expect(added({ user_id: user.id, username: user.username })).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { field: 'username' },
    });
    await expect(added({ user_id: newId() })).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
    await expect(added({ username: 'nobody' })).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
      details: { username: 'nobody' },
    });
    await users.updateUser({ user_id: user.id, status: 'disabled' }, admin);
    await expect(added({ username: user.username })).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { field: 'username', issue: 'names an account that is disabled' },
    });
    await users.updateUser({ user_id: user.id, status: 'active' }, admin);
    await added({ user_id: user.id });
    await expect(added({ user_id: user.id })).rejects.toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS' });
  });

  test('only owners and admins manage members; others learn nothing about accounts', async () => {
    const { projects, admin } = platform;
    const [owner, editor, viewer] = [await account(), await account(), await account()];
    const project_id = await projectOf(owner.origin, { [editor.id]: 'editor', [viewer.id]: 'viewer' });
    const denied = { code: 'PROJECT_ACCESS_DENIED' };
    for (const { origin } of [editor, viewer, await account()]) {
      const added = projects.addMember({ project_id, username: 'nobody', role: 'viewer' }, origin);
      await expect(added).rejects.toMatchObject(denied);
      const changed = projects.updateMember({ project_id, user_id: owner.id, role: 'viewer' }, origin);
      await expect(changed).rejects.toMatchObject(denied);
      await expect(projects.removeMember({ project_id, user_id: owner.id }, origin)).rejects.toMatchObject(denied);
    }
    await expect(projects.listMembers({ project_id }, someone())).rejects.toMatchObject(denied);
    const missing = projects.listMembers({ project_id: newId() }, owner.origin);
    await expect(missing).rejects.toMatchObject({ code: 'PROJECT_NOT_FOUND' });
    expect(await projects.updateMember({ project_id, user_id: viewer.id, role: 'owner' }, admin)).toMatchObject({
      role: 'owner',
    });
    expect(await projects.removeMember({ project_id, user_id: editor.id }, viewer.origin)).toMatchObject({
      removed_at: expect.any(String),
    });
    await expect(projects.getProject({ project_id }, editor.origin)).rejects.toMatchObject(denied);
    await expect(projects.removeMember({ project_id, user_id: editor.id }, owner.origin)).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
  });

  test('whoever may only read leaves, and removes nobody else; a key made for reading does neither', async () => {
    const { projects } = platform;
    const [owner, reader] = [await account(), await account('Reader', 'viewer')];
    const project_id = await projectOf(owner.origin, { [reader.id]: 'owner' });
    const insufficient = { code: 'AUTH_INSUFFICIENT_PERMISSIONS', details: { required: 'write' } };
    const others = projects.removeMember({ project_id, user_id: owner.id }, reader.origin);
    await expect(others).rejects.toMatchObject(insufficient);
    const { caller } = reader.origin;
    const key = { ...reader.origin, caller: { ...caller, credential: { kind: 'api_key' as const, id: newId() } } };
    await expect(projects.removeMember({ project_id, user_id: reader.id }, key)).rejects.toMatchObject(insufficient);
    await projects.removeMember({ project_id, user_id: reader.id }, reader.origin);
    expect((await projects.listMembers({ project_id }, owner.origin)).total).toBe(1);
  });

  test('an archived project keeps its members as they are', async () => {
    const { projects } = platform;
    const [owner, editor, other] = [await account(), await account(), await account()];
    const project_id = await projectOf(owner.origin, { [editor.id]: 'editor' });
    await projects.updateProject({ project_id, status: 'archived' }, owner.origin);
    const archived = { code: 'PROJECT_ARCHIVED' };
    const { origin } = owner;
    await expect(projects.addMember({ project_id, user_id: other.id, role: 'viewer' }, origin)).rejects.toMatchObject(
      archived,
    );
    const changed = projects.updateMember({ project_id, user_id: editor.id, role: 'viewer' }, origin);
    await expect(changed).rejects.toMatchObject(archived);
    await expect(projects.removeMember({ project_id, user_id: editor.id }, editor.origin)).rejects.toMatchObject(
      archived,
    );
    expect((await projects.listMembers({ project_id }, editor.origin)).total).toBe(2);
  });

  test('each change is told once, with the member before and after and all who have access now', async () => {
    const { projects } = platform;
    const [owner, user] = [await account(), await account()];
    const session_id = newId();
    const inSession = { ...owner.origin, caller: { ...owner.origin.caller, session_id } };
    const project_id = await projectOf(owner.origin);
    await using listener = await listenTo(platform, 'project.updated');
    await projects.addMember({ project_id, user_id: user.id, role: 'viewer' }, inSession);
    await projects.updateMember({ project_id, user_id: user.id, role: 'editor' }, owner.origin);
    await projects.updateMember({ project_id, user_id: user.id, role: 'editor' }, owner.origin);
    await projects.removeMember({ project_id, user_id: user.id }, owner.origin);
    await until('three events', () => listener.events.length >= 3);
    const told = listener.events.map(({ session_id, version, data }) => ({ session_id, version, ...data }));
    const [viewer, editor] = (['viewer', 'editor'] as const).map((role) => ({ user_id: user.id, role }));
    const facts = { name: 'Shop', status: 'active', member_ids: [owner.id, user.id] };
    const members = (old_value: unknown, new_value: unknown) => [{ field: 'members', old_value, new_value }];
    expect(told).toEqual([
      { ...facts, session_id, version: 2, changes: members(null, viewer) },
      { ...facts, session_id: null, version: 3, changes: members(viewer, editor) },
      { ...facts, session_id: null, version: 4, member_ids: [owner.id], changes: members(editor, null) },
    ]);
  });

  test('two owners who remove, or demote, each other at once leave one owner', async () => {
    const { projects } = platform;
    const [one, two] = [await account(), await account()];
    for (let round = 0; round < 5; round++) {
      const project_id = await projectOf(one.origin, { [two.id]: 'owner' });
      const outcomes = await Promise.allSettled([
        projects.removeMember({ project_id, user_id: two.id }, one.origin),
        projects.removeMember({ project_id, user_id: one.id }, two.origin),
        projects.updateMember({ project_id, user_id: one.id, role: 'viewer' }, two.origin),
        projects.removeMember({ project_id, user_id: one.id }, one.origin),
      ]);
      const { members } = await projects.listMembers({ project_id }, platform.admin);
      expect(members.filter(({ role }) => role === 'owner')).toHaveLength(1);
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') continue;
        expect(outcome.reason).toBeInstanceOf(PlatformError);
        expect(['RESOURCE_CONFLICT', 'RESOURCE_NOT_FOUND', 'PROJECT_ACCESS_DENIED']).toContain(outcome.reason.code);
      }
    }
  });

  test('changes of different members at once are all kept', async () => {
    const { projects, ctx } = platform;
    const owner = await account();
    const users = await Promise.all(Array.from({ length: 5 }, () => account()));
    const project_id = await projectOf(owner.origin, Object.fromEntries(users.map(({ id }) => [id, 'viewer'])));
    const before = await ctx.projects.findById(project_id).lean();
    await Promise.all(
      users.map(({ id }) => projects.updateMember({ project_id, user_id: id, role: 'editor' }, owner.origin)),
    );
    const after = await ctx.projects.findById(project_id).lean();
    expect(after?.members.map(({ role }) => role)).toEqual(['owner', ...users.map(() => 'editor')]);
    expect(after?.version).toBe((before?.version ?? 0) + users.length);
  });

  test('a full project takes nobody more', async () => {
    const { projects, ctx } = platform;
    const [owner, user] = [await account(), await account()];
    const project_id = await projectOf(owner.origin);
    const many = Array.from({ length: maxMembers - 1 }, () => ({ user_id: newId(), role: 'viewer' as const }));
    await ctx.projects.updateOne({ _id: project_id }, { $push: { members: { $each: many } } });
    const refused = projects.addMember({ project_id, user_id: user.id, role: 'viewer' }, owner.origin);
    await expect(refused).rejects.toMatchObject({ code: 'RESOURCE_LIMIT_EXCEEDED' });
  });
});

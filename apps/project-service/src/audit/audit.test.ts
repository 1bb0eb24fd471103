import { readFileSync } from 'node:fs';
import { auditActions, newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPerson, personsPassword, signIn } from '../testing/people.ts';
import { signedIn, someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { filterOf } from './list-audit-records.ts';
import { keepFailedLogin } from './sign-ins.ts';

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform();
});
afterAll(async () => platform[Symbol.asyncDispose]());

const list = async (filter: Parameters<TestPlatform['audit']['listAuditRecords']>[0] = {}) =>
  (await platform.audit.listAuditRecords(filter, platform.admin)).items;
const actionsOn = async (target_id: string) => (await list({ target_id })).map(({ action }) => action);
const from = (address: string) => ({ ...platform.visitor, caller: { ...platform.visitor.caller, address } });

describe('the audit log', () => {
  test('tells of sign-ins, with account, address and request', async () => {
    const { id, username } = await createPerson(platform);
    const visitor = { ...from('203.0.113.7'), requestId: 'request-7' };
    await platform.auth.login({ username, password: personsPassword }, visitor);
    expect(await list({ actor: id, action: 'auth.login' })).toMatchObject([
      {
        outcome: 'success',
        target_type: 'user',
        target_id: id,
        address: '203.0.113.7',
        request_id: 'request-7',
        count: 1,
        details: { username },
      },
    ]);
  });

  test('counts failed sign-ins per account, address and minute', async () => {
    const { id, username } = await createPerson(platform);
    const fail = (address: string) =>
      platform.auth.login({ username: username.toUpperCase(), password: 'wrong' }, from(address)).catch(() => {});
    await Promise.all(Array.from({ length: 5 }, () => fail('203.0.113.8')));
    await fail('203.0.113.9');
    const records = await list({ target_id: id, outcome: 'failure' });
    const sums = Object.groupBy(records, ({ address }) => String(address));
    const countOf = (address: string) => sums[address]?.reduce((sum, { count }) => sum + count, 0);
    expect([countOf('203.0.113.8'), countOf('203.0.113.9')]).toEqual([5, 1]);
    // Five at once are one record, or two when the minute has just ended.
    expect(sums['203.0.113.8']?.length).toBeLessThanOrEqual(2);
    for (const record of records) expect(record.actor).toBeUndefined();
    const next = new Date(Date.now() + 60_000);
    await keepFailedLogin(platform.ctx, { _id: id, username }, 'failure', from('203.0.113.8') as never, next);
    expect(await list({ target_id: id, outcome: 'failure' })).toHaveLength(records.length + 1);
  });

  test('keeps no name that nobody has, since it may be a password', async () => {
    const typed = `hunter2-${newId()}`;
    await platform.auth.login({ username: typed, password: 'x' }, from('203.0.113.10')).catch(() => {});
    const records = await platform.ctx.auditRecords.find({ address: '203.0.113.10' }).lean();
    expect(records).toMatchObject([{ outcome: 'failure', target_id: null, details: { reason: 'no such account' } }]);
    expect(JSON.stringify(records)).not.toContain(typed);
  });

  test('tells of what happens to an account, with who did it', async () => {
    const { users, admin, auth } = platform;
    const { id, username } = await createPerson(platform);
    const address = '203.0.113.11';
    const root = { ...admin, caller: { ...admin.caller, address } };
    await users.updateUser({ user_id: id, role: 'viewer', tier: 'premium' }, root);
    const ada = await signIn(platform, username);
    await auth.logout({ everywhere: true }, ada);
    await users.updateUser({ user_id: id, status: 'disabled' }, root);
    await auth.login({ username, password: personsPassword }, platform.visitor).catch(() => {});
    await users.updateUser({ user_id: id, status: 'active', password: 'another password' }, root);
    const expected = [
      'user.created',
      'user.role_changed',
      'user.updated',
      'auth.login',
      'auth.logout',
      'user.disabled',
      'auth.login',
      'user.password_changed',
      'user.enabled',
    ];
    await until('all to be kept', async () => (await actionsOn(id)).length === expected.length);
    expect((await actionsOn(id)).toSorted()).toEqual(expected.toSorted());
    const [changed] = await list({ target_id: id, action: 'user.role_changed' });
    const details = { from: 'developer', to: 'viewer' };
    expect(changed).toMatchObject({ actor: admin.caller.user_id, address, request_id: admin.requestId, details });
    expect(await list({ target_id: id, outcome: 'refused' })).toMatchObject([{ action: 'auth.login' }]);
    const all = JSON.stringify(await platform.ctx.auditRecords.find({ target_id: id }).lean());
    expect(all).not.toMatch(/another password|tr0ub4dor|argon2/);
  });

  test('counts wrong passwords of those who want to change theirs', async () => {
    const { id, username } = await createPerson(platform);
    const ada = await signIn(platform, username);
    const attempt = (current_password: string) =>
      platform.users.changePassword({ current_password, new_password: 'another password' }, ada);
    await expect(attempt('guess')).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
    await attempt(personsPassword);
    await until('both to be kept', async () => (await actionsOn(id)).length === 4);
    const records = await list({ target_id: id, action: 'user.password_changed' });
    expect(records.map(({ actor, outcome }) => [actor, outcome])).toEqual([
      [id, 'success'],
      [id, 'failure'],
    ]);
    expect(JSON.stringify(records)).not.toMatch(/guess|another password/);
  });

  test('tells of API keys, their first use alone', async () => {
    const { users, auth, ctx } = platform;
    const { id: user_id, username } = await createPerson(platform);
    const ada = await signIn(platform, username);
    const { id, key } = await users.createApiKey({ name: 'build', scopes: ['read'] }, ada);
    await auth.checkApiKey({ key }, from('203.0.113.12'));
    await until(
      'the use to be noted',
      async () => (await ctx.users.findById(user_id).lean())?.api_keys[0]?.last_used_at,
    );
    await ctx.users.updateOne({ _id: user_id }, { $set: { 'api_keys.0.last_used_at': new Date(0) } });
    await auth.checkApiKey({ key }, from('203.0.113.13'));
    await until('the second use to be noted', async () => {
      const used = (await ctx.users.findById(user_id).lean())?.api_keys[0]?.last_used_at;
      return used && used.getTime() > 0;
    });
    await users.deleteApiKey({ key_id: id }, ada);
    await until('the deletion to be kept', async () => (await actionsOn(id)).length === 3);
    expect(await actionsOn(id)).toEqual(['api_key.deleted', 'api_key.first_used', 'api_key.created']);
    const [used] = await list({ target_id: id, action: 'api_key.first_used' });
    expect(used).toMatchObject({ actor: user_id, address: '203.0.113.12', details: { name: 'build' } });
    expect(JSON.stringify(await list({ target_id: id }))).not.toContain(key);
  });

  test('tells of projects and what other services tell, once however often they do', async () => {
    const { projects, ctx } = platform;
    const owner = someone();
    const { id: project_id } = await projects.createProject({ name: 'Apollo' }, owner);
    const { id: user_id } = await createPerson(platform);
    await projects.addMember({ project_id, user_id, role: 'editor' }, owner);
    await projects.removeMember({ project_id, user_id }, owner);
    await projects.deleteProject({ project_id }, owner);
    await until('the project to be kept', async () => (await actionsOn(project_id)).length === 3);
    expect(await actionsOn(project_id)).toEqual(['project.deleted', 'project.member_removed', 'project.member_added']);
    const about = { actor: owner.caller.user_id, project_id };
    const data = {
      command_id: newId(),
      user_id: owner.caller.user_id,
      status: 'completed',
      exit_code: 0,
      forced: true,
    };
    const forced = newEvent('command.finished', about, data);
    for (let n = 0; n < 3; n++) await ctx.bus.publishEvent(forced);
    await until('the command to be kept', async () => (await actionsOn(data.command_id)).length > 0);
    const later = newEvent('queue.paused', about, { queue_name: `q-${project_id}`, reason: null });
    await ctx.bus.publishEvent(later);
    await until('a later event to be kept', async () => (await actionsOn(later.data.queue_name)).length > 0);
    expect(await list({ target_id: data.command_id })).toMatchObject([
      { id: forced.id, actor: owner.caller.user_id, project_id, created_at: forced.time },
    ]);
  });

  test('keeps what gateways refused, once', async () => {
    const refusal = {
      id: newId(),
      user_id: newId(),
      endpoint: 'GET /api/users/',
      required: 'admin',
      address: '203.0.113.14',
      count: 7,
      first_at: '2026-01-01T00:00:00.000Z',
      last_at: '2026-01-01T00:00:04.000Z',
    };
    const gateway = signedIn('gateway', 'admin');
    for (let n = 0; n < 2; n++) await platform.audit.recordRefusals({ refusals: [refusal] }, gateway);
    const { user_id: actor, endpoint: target_id, count, address, first_at: created_at, last_at } = refusal;
    expect(await list({ actor })).toMatchObject([
      { action: 'endpoint.refused', outcome: 'refused', target_id, count, address, created_at, last_at },
    ]);
  });

  test('is for admins', async () => {
    const refused = { code: 'AUTH_INSUFFICIENT_PERMISSIONS' };
    await expect(platform.audit.listAuditRecords({}, someone())).rejects.toMatchObject(refused);
    await expect(platform.audit.recordRefusals({ refusals: [] }, someone())).rejects.toMatchObject(refused);
  });

  test('is listed newest first, in pages and of a time', async () => {
    const { id: target_id } = await createPerson(platform);
    await until('its creation to be kept', async () => (await actionsOn(target_id)).length === 1);
    for (const role of ['viewer', 'developer', 'viewer'] as const) {
      await platform.users.updateUser({ user_id: target_id, role }, platform.admin);
    }
    await until('all to be kept', async () => (await actionsOn(target_id)).length === 4);
    const all = await list({ target_id });
    expect(all.map(({ details }) => details?.to ?? null)).toEqual(['viewer', 'developer', 'viewer', null]);
    const page = await platform.audit.listAuditRecords({ target_id, page: 2, page_size: 3 }, platform.admin);
    expect([page.total, page.items]).toEqual([4, all.slice(3)]);
    const created_after = all[1]?.created_at;
    expect(await list({ target_id, created_after })).toEqual(all.slice(0, 2));
    expect(await list({ target_id, created_before: created_after })).toEqual(all.slice(2));
  });

  test('is kept for as long as configured, and answered by indexes', async () => {
    const { auditRecords, config } = platform.ctx;
    const record = await auditRecords.findOne().lean();
    const days = (Number(record?.expires_at) - Number(record?.last_at)) / 86_400_000;
    expect([days, config.AUDIT_TTL_DAYS]).toEqual([365, 365]);
    const indexes = await auditRecords.collection.indexes();
    expect(indexes).toContainEqual(expect.objectContaining({ key: { expires_at: 1 }, expireAfterSeconds: 0 }));
    const time = { created_after: '2026-01-01T00:00:00Z', created_before: '2030-01-01T00:00:00Z' };
    const filters = [
      {},
      time,
      { actor: 'a' },
      { action: 'auth.login' },
      { target_id: 't' },
      { outcome: 'failure' as const },
      { actor: 'a', action: 'auth.login', target_id: 't', outcome: 'failure' as const, ...time },
    ];
    for (const filter of filters) {
      const plan = await planOf(auditRecords.find(filterOf(filter)).sort({ created_at: -1, _id: -1 }));
      expect({ filter, plan }).toEqual({ filter, plan: expect.stringContaining('IXSCAN') });
      expect({ filter, sorts: sortsByItself(plan) }).toEqual({ filter, sorts: false });
    }
  });

  test('has a filter for every action that it tells of', () => {
    const proto = readFileSync(
      new URL('../../../../packages/proto/proto/platform/v1/audit.proto', import.meta.url),
      'utf8',
    );
    const filters = [...(/one_of: \[([^\]]*)\]/.exec(proto)?.[1] ?? '').matchAll(/"([^"]+)"/g)].map(([, name]) => name);
    expect(filters).toEqual([...auditActions].toSorted());
  });
});

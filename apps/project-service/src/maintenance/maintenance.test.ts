import { startService } from '@claude-cli/shared/service/service';
import { planOf } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { projectService } from '../service.ts';
import { listenTo } from '../testing/events.ts';
import { someone, startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { noMaintenance, statusAt, toProto } from './maintenance.ts';

describe('where a maintenance is', () => {
  const now = new Date('2026-01-01T12:00:00Z');
  const at = (hours: number) => new Date(now.getTime() + hours * 3_600_000);

  test.each([
    ['none', null, null],
    ['announced', at(1), null],
    ['announced', at(1), at(2)],
    ['active', now, null],
    ['active', at(-1), at(1)],
    ['none', at(-2), now],
  ])('%s when it starts at %p and ends at %p', (status, starts_at, ends_at) => {
    expect(statusAt({ starts_at, ends_at }, now)).toBe(status);
    const shown = toProto({ message: 'm', starts_at, ends_at, announced_by: 'u' }, now);
    expect(shown.message).toBe(status === 'none' ? undefined : 'm');
  });
});

describe('maintenance', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform();
  });
  afterAll(async () => {
    await platform[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await platform.maintenance.endMaintenance({}, platform.admin);
    await untilTold();
  });

  const stored = () => platform.ctx.maintenance.findOne({ _id: 'maintenance' }).lean();
  const untilTold = () => until('everything to be told', async () => (await stored())?.outbox.length === 0);
  const fromNow = (ms: number) => new Date(Date.now() + ms).toISOString();

  test('one that starts at once is active, told, and lasts until it is ended', async () => {
    const { maintenance, admin } = platform;
    await using told = await listenTo(platform, 'system.maintenance');
    const started = await maintenance.startMaintenance({ message: 'New disks' }, admin);
    const announced_by = admin.caller.user_id;
    expect(started).toMatchObject({ status: 'active', message: 'New disks', ends_at: undefined, announced_by });
    expect(await maintenance.getMaintenance({}, someone('viewer'))).toEqual(started);
    expect(await maintenance.endMaintenance({}, admin)).toEqual({ status: 'none' });
    expect(await maintenance.getMaintenance({}, someone('viewer'))).toEqual({ status: 'none' });
    await until('both to be told', () => told.events.length === 2);
    expect(told.events).toMatchObject([
      { actor: announced_by, data: { status: 'active', message: 'New disks', starts_at: started.starts_at } },
      { actor: announced_by, data: { status: 'none', message: null, starts_at: null, ends_at: null } },
    ]);
  });

  test('an announced one begins and ends by the clock, told once by all replicas together', async () => {
    const { maintenance, admin, env } = platform;
    await using told = await listenTo(platform, 'system.maintenance');
    await using _replica = await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: '127.0.0.1:1' });
    const [starts_at, ends_at] = [fromNow(2_000), fromNow(6_000)];
    expect(await maintenance.startMaintenance({ starts_at, ends_at }, admin)).toMatchObject({ status: 'announced' });
    await until('it to begin', async () => (await maintenance.getMaintenance({}, admin)).status === 'active');
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(starts_at));
    await until('it to end', async () => (await maintenance.getMaintenance({}, admin)).status === 'none');
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(ends_at));
    await until('its end to be told', async () => (await stored())?.told_status === 'none');
    await untilTold();
    // One that is told later shows that nothing was told twice before it.
    await maintenance.startMaintenance({ message: 'later' }, admin);
    await until('the later one to be told', () => told.events.some(({ data }) => 'message' in data && data.message));
    expect(told.events.map(({ data }) => 'status' in data && data.status)).toEqual([
      'announced',
      'active',
      'none',
      'active',
    ]);
    expect(told.events[1]).toMatchObject({ actor: 'project-service', data: { starts_at, ends_at } });
  });

  test('announcing again replaces, calling off ends, and without one nothing changes', async () => {
    const { maintenance, admin } = platform;
    await maintenance.startMaintenance({ message: 'first', ends_at: fromNow(60_000) }, admin);
    const starts_at = fromNow(3_600_000);
    const second = await maintenance.startMaintenance({ starts_at }, admin);
    expect(second).toMatchObject({ status: 'announced', starts_at, message: undefined, ends_at: undefined });
    await maintenance.endMaintenance({}, admin);
    const before = await stored();
    expect(before).toMatchObject({ ...noMaintenance, told_status: 'none' });
    expect(await maintenance.endMaintenance({}, admin)).toEqual({ status: 'none' });
    expect((await stored())?.version).toBe(before?.version);
  });

  test('one survives a restart', async () => {
    const { maintenance, admin, env } = platform;
    await maintenance.startMaintenance({ message: 'stays' }, admin);
    await using replica = await startService(projectService, { ...env, TASK_SERVICE_ADDRESS: '127.0.0.1:1' });
    const kept = await replica.ctx.maintenance.find().lean();
    expect(kept).toMatchObject([{ message: 'stays', told_status: 'active' }]);
  });

  test('an end that lies behind, or before the start, is refused', async () => {
    const { maintenance, admin } = platform;
    const refused = { httpStatus: 422, details: { field: 'ends_at' } };
    const past = maintenance.startMaintenance({ ends_at: fromNow(-1_000) }, admin);
    await expect(past).rejects.toMatchObject(refused);
    const order = { starts_at: fromNow(60_000), ends_at: fromNow(30_000) };
    await expect(maintenance.startMaintenance(order, admin)).rejects.toMatchObject(refused);
    const empty = { starts_at: order.starts_at, ends_at: order.starts_at };
    await expect(maintenance.startMaintenance(empty, admin)).rejects.toMatchObject(refused);
    expect(await maintenance.getMaintenance({}, admin)).toEqual({ status: 'none' });
  });

  test('changes at the same time are told one by one', async () => {
    const { maintenance, admin } = platform;
    await using told = await listenTo(platform, 'system.maintenance');
    const before = (await stored())?.version ?? 0;
    const messages = ['a', 'b', 'c', 'd'];
    await Promise.all(messages.map((message) => maintenance.startMaintenance({ message }, admin)));
    await until('all to be told', () => told.events.length === messages.length);
    expect(told.events.map(({ version }) => version)).toEqual([1, 2, 3, 4].map((n) => before + n));
    expect(new Set(told.events.map(({ data }) => 'message' in data && data.message))).toEqual(new Set(messages));
  });

  test('what was left in the outbox is found by an index', async () => {
    const plan = await planOf(platform.ctx.maintenance.collection.find({ 'outbox.time': { $lt: 'z' } }));
    expect(plan).toContain('IXSCAN');
  });
});

import { type AnyEvent, newEvent } from '@claude-cli/shared/events';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { planOf } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import type { DeliverableEvent } from '@claude-cli/shared/webhooks/catalog';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { NewDeliveries } from '../deliveries/new-deliveries.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { newWebhook, taskCompleted, taskUpdated } from '../testing/requests.ts';
import { candidatesFor } from './match.ts';
import { Deliverer } from './take-events.ts';

let platform: TestPlatform;
let owner: Origin;
let member: Origin;
let stranger: Origin;
let project_id: string;

beforeAll(async () => {
  platform = await startTestPlatform();
  [owner, member, stranger] = await Promise.all([platform.newUser(), platform.newUser(), platform.newUser()]);
  ({ id: project_id } = await platform.projects.createProject({ name: 'Shop' }, owner));
  await platform.projects.addMember({ project_id, user_id: member.caller.user_id, role: 'viewer' }, owner);
});
afterAll(async () => platform[Symbol.asyncDispose]());

async function webhookOf(who: Origin, events: string[], of_project?: string): Promise<string> {
  const project = of_project === undefined ? {} : { project_id: of_project };
  return (await platform.webhooks.createWebhook(newWebhook({ events, ...project }), who)).id;
}

/** Publish events, and then wait until the queue has been worked off, as an event that all of it precedes shows. */
async function tell(...events: AnyEvent[]): Promise<void> {
  const { ctx, admin } = platform;
  const last = await webhookOf(admin, ['system.alert']);
  const data = { level: 'info', title: 'x', message: 'x', details: {} } as const;
  for (const event of events) await ctx.bus.publishEvent(event);
  await ctx.bus.publishEvent(newEvent('system.alert', { actor: 'x', project_id: null }, data));
  await until('the last event', async () => (await ctx.deliveries.exists({ webhook_id: last })) !== null);
  await platform.webhooks.deleteWebhook({ webhook_id: last }, admin);
}

/** Types of events that were made deliveries to a webhook, oldest first. */
async function toldTo(webhook_id: string): Promise<string[]> {
  const found = await platform.ctx.deliveries.find({ webhook_id }).sort({ created_at: 1, _id: 1 }).lean();
  return found.map(({ event_type }) => event_type);
}

/** How often this process has asked for something. */
async function asked(method: string): Promise<number> {
  const { values } = (await metrics.getSingleMetric('rpc_duration_seconds')?.get()) ?? { values: [] };
  const counts = values.filter(
    (value) =>
      'metricName' in value &&
      value.metricName === 'rpc_duration_seconds_count' &&
      value.labels.side === 'client' &&
      value.labels.method === `/platform.v1.${method}`,
  );
  return counts.reduce((sum, { value }) => sum + value, 0);
}

describe('events', () => {
  test('become a delivery for each webhook that asks for them', async () => {
    const [both, all, one] = await Promise.all([
      webhookOf(owner, ['task.completed', 'task.updated'], project_id),
      webhookOf(owner, ['*'], project_id),
      webhookOf(owner, ['task.updated']),
    ]);
    const completed = taskCompleted(project_id);
    await tell(completed, taskUpdated(project_id));
    expect((await toldTo(both)).toSorted()).toEqual(['task.completed', 'task.updated']);
    expect((await toldTo(all)).filter((type) => type.startsWith('task.')).toSorted()).toEqual([
      'task.completed',
      'task.updated',
    ]);
    expect(await toldTo(one)).toEqual(['task.updated']);

    const delivery = await platform.ctx.deliveries.findOne({ webhook_id: both, event_id: completed.id }).lean();
    expect(delivery).toMatchObject({ kind: 'event', project_id, event_type: 'task.completed' });
    expect(JSON.parse(delivery?.payload ?? '')).toMatchObject({
      event: 'task.completed',
      webhook_id: both,
      delivery_id: delivery?._id,
      data: { duration: '00:05:30' },
    });
    expect(delivery?.expires_at.getTime()).toBe((delivery?.created_at.getTime() ?? 0) + 30 * 86_400_000);
  });

  test('are told to nobody who may not see their project, and to nobody who lost access to it', async () => {
    const { projects } = platform;
    const [seeing, blind] = await Promise.all([webhookOf(member, ['*']), webhookOf(stranger, ['*'])]);
    const whole = await webhookOf(platform.admin, ['task.completed']);
    await tell(taskCompleted(project_id));
    expect(await toldTo(seeing)).toContain('task.completed');
    expect(await toldTo(blind)).not.toContain('task.completed');
    expect(await toldTo(whole)).toContain('task.completed');

    const witness = await webhookOf(owner, ['project.updated'], project_id);
    await projects.removeMember({ project_id, user_id: member.caller.user_id }, owner);
    // The news of the removal comes by the outbox, and before what happens afterwards.
    await until('the removal', async () => (await toldTo(witness)).includes('project.updated'));
    await tell(taskCompleted(project_id));
    expect((await toldTo(whole)).filter((type) => type === 'task.completed')).toHaveLength(2);
    expect((await toldTo(seeing)).filter((type) => type === 'task.completed')).toHaveLength(1);
  });

  test('of the system are told to admins alone, whoever asks for everything', async () => {
    const [theirs, mine] = await Promise.all([webhookOf(platform.admin, ['*']), webhookOf(owner, ['*'])]);
    const data = { status: 'announced', message: 'Upgrade', starts_at: null, ends_at: null } as const;
    await tell(newEvent('system.maintenance', { actor: 'x', project_id: null }, data));
    expect(await toldTo(theirs)).toContain('system.maintenance');
    expect((await toldTo(mine)).filter((type) => type.startsWith('system.'))).toEqual([]);
  });

  test('that come twice are one delivery each, and are handed over again as long as they wait', async () => {
    const webhook_id = await webhookOf(owner, ['task.completed'], project_id);
    const event = taskCompleted(project_id);
    await tell(event, event, event);
    expect(await toldTo(webhook_id)).toEqual(['task.completed']);

    const stored = await platform.ctx.deliveries.find({ webhook_id, event_id: event.id }).lean();
    const [delivery] = stored;
    if (!delivery) throw new Error('there is no delivery');
    const handedOver: string[] = [];
    const handOver = async (deliveries: readonly { _id: string }[]) =>
      void handedOver.push(...deliveries.map(({ _id }) => _id));
    const waits = { status: 'pending', cancel_reason: null, finished_at: null } as const;
    await platform.ctx.deliveries.updateOne({ _id: delivery._id }, { $set: waits });
    const again = { ...delivery, ...waits };
    const { deliveries, dispatcher } = platform.ctx;
    const newDeliveries = new NewDeliveries(deliveries, dispatcher, handOver);
    await newDeliveries.store([again]);
    await deliveries.updateOne({ _id: delivery._id }, { $set: { status: 'succeeded' } });
    await newDeliveries.store([again]);
    expect(handedOver).toEqual([delivery._id]);
  });

  test('are recorded for a webhook that is paused, for a week', async () => {
    const { webhooks, ctx } = platform;
    const webhook_id = await webhookOf(owner, ['task.completed'], project_id);
    await webhooks.pauseWebhook({ webhook_id }, owner);
    await tell(taskCompleted(project_id));
    expect(await ctx.deliveries.findOne({ webhook_id }).lean()).toMatchObject({
      status: 'cancelled',
      cancel_reason: 'paused',
      next_attempt_at: null,
      finished_at: expect.any(Date),
    });
    await ctx.webhooks.updateOne(
      { _id: webhook_id },
      { inactive_since: new Date(Date.now() - 7 * 24 * 3_600_000 - 1) },
    );
    await tell(taskCompleted(project_id));
    expect(await toldTo(webhook_id)).toHaveLength(1);
  });

  test('of a webhook are told to others of those who manage it, not to itself', async () => {
    const { projects } = platform;
    await projects.addMember({ project_id, user_id: stranger.caller.user_id, role: 'editor' }, owner);
    const [first, second] = await Promise.all([
      webhookOf(owner, ['webhook.updated']),
      webhookOf(owner, ['*'], project_id),
    ]);
    const editors = await webhookOf(stranger, ['*']);
    await platform.webhooks.pauseWebhook({ webhook_id: second }, owner);
    await platform.webhooks.resumeWebhook({ webhook_id: second }, owner);
    await until('two events', async () => (await toldTo(first)).length >= 2);
    await tell();
    expect(await toldTo(first)).toEqual(['webhook.updated', 'webhook.updated']);
    expect((await toldTo(editors)).filter((type) => type.startsWith('webhook.'))).toEqual([]);
    const own = await platform.ctx.deliveries.find({ webhook_id: second }).lean();
    expect(own.filter(({ payload }) => JSON.parse(payload).data.webhook_id === second)).toEqual([]);
  });

  test('that are not as they should be fail alone', async () => {
    const webhook_id = await webhookOf(owner, ['*'], project_id);
    const good = taskCompleted(project_id) as DeliverableEvent;
    const updated = taskUpdated(project_id);
    const broken = { ...updated, data: { ...updated.data, changes: null } } as unknown as DeliverableEvent;
    const unknown = { ...good, type: 'task.exploded' } as unknown as DeliverableEvent;
    await using deliverer = new Deliverer(platform.ctx);
    const results = await Promise.allSettled([broken, good, unknown].map((event) => deliverer.deliver(event)));
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled', 'rejected']);
    expect(await toldTo(webhook_id)).toEqual(['task.completed']);
  });

  test('make one question about a project and one about a user, however many events and webhooks there are', async () => {
    const { projects, ctx } = platform;
    const keen = await platform.newUser();
    const { id } = await projects.createProject({ name: 'Busy' }, keen);
    const hooks = await Promise.all(Array.from({ length: 20 }, () => webhookOf(keen, ['task.completed'], id)));
    const before = [await asked('ProjectService/ListMembers'), await asked('AuthService/CheckUser')] as const;
    const events = Array.from({ length: 30 }, () => taskCompleted(id) as DeliverableEvent);
    await using deliverer = new Deliverer(ctx);
    for (const some of [events.slice(0, 15), events.slice(15)]) {
      await Promise.all(some.map((event) => deliverer.deliver(event)));
    }
    expect(await ctx.deliveries.countDocuments({ webhook_id: { $in: hooks } })).toBe(600);
    expect((await asked('ProjectService/ListMembers')) - before[0]).toBe(1);
    expect((await asked('AuthService/CheckUser')) - before[1]).toBeLessThan(10);
  });

  test('find their webhooks by an index', async () => {
    const plan = await planOf(candidatesFor(platform.ctx, [taskCompleted(project_id) as DeliverableEvent]));
    expect([plan.includes('IXSCAN'), plan.includes('COLLSCAN')]).toEqual([true, false]);
  });
});

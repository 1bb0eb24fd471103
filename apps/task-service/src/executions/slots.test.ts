import { newId } from '@claude-cli/shared/ids';
import { logCommands, monitored } from '@claude-cli/shared/testing/commands';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { untimed } from '../testing/played.ts';
import { acquireSlot } from './slots.ts';

describe('the slots of a project', () => {
  let platform: TestPlatform;

  beforeAll(async () => {
    platform = await startTestPlatform({ MONGODB_URI: monitored(process.env.MONGODB_URI ?? '') }, untimed);
  });
  afterAll(async () => {
    await platform?.[Symbol.asyncDispose]();
  });

  const holdersOf = (project_id: string, count: number) =>
    Array.from({ length: count }, () => ({ _id: newId(), project_id }));
  const stored = async (project_id: string) => (await platform.ctx.slots.findById(project_id).lean())?.holders.sort();
  const ids = (holders: { _id: string }[]) => holders.map(({ _id }) => _id).sort();

  test('are taken together by one command while there is room for all', async () => {
    const { ctx } = platform;
    const project_id = newId();
    const wanted = holdersOf(project_id, 8);
    using log = logCommands(ctx.slots.db);
    expect(await Promise.all(wanted.map((holder) => acquireSlot(ctx, holder, 8)))).toEqual(wanted.map(() => true));
    expect(log.commands).toEqual(['update project_slots']);
    expect(await stored(project_id)).toEqual(ids(wanted));
  });

  test('are as many as the limit, however many are wanted at once, and taking one twice takes it once', async () => {
    const { ctx } = platform;
    const project_id = newId();
    const wanted = holdersOf(project_id, 9);
    const outcomes = await Promise.all(wanted.map((holder) => acquireSlot(ctx, holder, 5)));
    const granted = wanted.filter((_, n) => outcomes[n]);
    expect(granted).toHaveLength(5);
    const again = await Promise.all([...granted, ...granted].map((holder) => acquireSlot(ctx, holder, 5)));
    expect(again).toEqual(Array(10).fill(true));
    expect(await stored(project_id)).toEqual(ids(granted));
  });

  test('are given back together a moment later, and at once when one is wanted', async () => {
    const { ctx } = platform;
    const [mine, theirs] = [newId(), newId()];
    const [full, others] = [holdersOf(mine, 8), holdersOf(theirs, 5)];
    for (const holder of full) await acquireSlot(ctx, holder, 8);
    for (const holder of others) await acquireSlot(ctx, holder, 20);
    using log = logCommands(ctx.slots.db);
    for (const holder of [...full.slice(6), ...others]) await ctx.slotReleases.passOnSoon(holder);
    const [next] = holdersOf(mine, 1);
    if (!next) throw new Error('no holder');
    expect(await acquireSlot(ctx, next, 8)).toBe(true);
    expect(await stored(mine)).toEqual(ids([...full.slice(0, 6), next]));
    await until('the others to be given back', async () => (await stored(theirs))?.length === 0);
    expect(log.commands.filter((command) => command === 'findAndModify project_slots')).toHaveLength(2);
  });

  test('are given back at once when those that gather are a quarter of them', async () => {
    const { ctx } = platform;
    const project_id = newId();
    const holders = holdersOf(project_id, 3);
    for (const holder of holders) await acquireSlot(ctx, holder, 4);
    for (const holder of holders) await ctx.slotReleases.passOnSoon(holder);
    expect((await stored(project_id))?.length).toBeLessThanOrEqual(1);
    await until('the last to be given back', async () => (await stored(project_id))?.length === 0);
  });

  test('are given back at once when it is known that somebody waits', async () => {
    const { ctx } = platform;
    const project_id = newId();
    const holders = holdersOf(project_id, 5);
    const outcomes: boolean[] = [];
    for (const holder of holders) outcomes.push(await acquireSlot(ctx, holder, 4));
    expect(outcomes).toEqual([true, true, true, true, false]);
    for (const holder of holders.slice(0, 1)) await ctx.slotReleases.passOnSoon(holder);
    expect(await stored(project_id)).toEqual(ids(holders.slice(1, 4)));
  });
});

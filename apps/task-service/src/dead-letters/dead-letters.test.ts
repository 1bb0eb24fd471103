import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { newEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { boundDeadLetters, dropOutdatedDeadLetters } from './bound-dead-letters.ts';

describe('dead letters', () => {
  let platform: TestPlatform;
  let resultsQueue: string;
  let kept: KeptChannel;
  let channel: NonNullable<KeptChannel['current']>;

  beforeAll(async () => {
    platform = await startTestPlatform();
    resultsQueue = platform.ctx.bus.names.serviceQueue('task-service.results');
    kept = await platform.ctx.bus.openChannel(async () => {});
    if (!kept.current) throw new Error('no channel');
    channel = kept.current;
  });
  afterEach(async () => {
    await platform.ctx.deadLetters.deleteMany({});
  });
  afterAll(async () => {
    await kept?.[Symbol.asyncDispose]();
    await platform?.[Symbol.asyncDispose]();
  });

  const list = async () => (await platform.queues.listDeadLetters({}, platform.admin)).messages;
  const listed = (count: number) =>
    until(`${count} dead letters`, async () => {
      const messages = await list();
      return messages.length === count && messages;
    });
  const replay = (...ids: string[]) =>
    platform.queues.replayDeadLetters({ ids }, platform.admin, { deadlineMs: 30_000 });
  /** Send what no consumer can read to the queue of results. */
  const sendUnreadable = (content: string | Buffer, messageId?: string) =>
    channel.publish(
      platform.ctx.bus.names.events,
      'execution.finished.p',
      Buffer.from(content),
      messageId === undefined ? {} : { messageId },
    );

  test('are listed with where they died and why, the newest first', async () => {
    sendUnreadable('{ broken');
    const [letter] = await listed(1);
    expect(letter).toEqual({
      id: expect.stringMatching(/^[\da-f]{32}$/),
      queue: resultsQueue,
      exchange: platform.ctx.bus.names.events,
      routing_key: 'execution.finished.p',
      reason: 'rejected',
      died_at: expect.any(String),
      content: '{ broken',
      replayable: true,
    });
    const age = Date.now() - Date.parse(letter?.died_at ?? '');
    expect(age).toBeLessThan(10_000);
    await platform.ctx.deadLetters.updateOne({ _id: letter?.id ?? '' }, { died_at: new Date(0) });
    sendUnreadable(`${'🙂'.repeat(1_500)}`);
    const [newest, oldest] = await listed(2);
    expect(newest?.content).toBe('🙂'.repeat(1_000));
    expect(oldest?.id).toBe(letter?.id);
  });

  test('are gone from the broker once they are stored', async () => {
    sendUnreadable('one');
    await listed(1);
    await until('the queue to be empty', async () => {
      const { messageCount } = await channel.checkQueue(platform.ctx.bus.names.deadLetters);
      return messageCount === 0;
    });
  });

  test('wait in the broker while the database is away', async () => {
    const { deadLetters } = platform.ctx;
    const store = jest.spyOn(deadLetters, 'updateOne');
    store.mockImplementationOnce(() => {
      throw Object.assign(new Error('away'), { name: 'MongoServerSelectionError' });
    });
    sendUnreadable('patient');
    await listed(1);
    expect(store.mock.calls.length).toBeGreaterThanOrEqual(2);
    store.mockRestore();
  });

  test('that are moved twice, because a process died before it told the broker, are there once', async () => {
    const id = newId();
    for (const _ of [1, 2]) sendUnreadable('twice', id);
    await listed(1);
    sendUnreadable('other', newId());
    expect((await listed(2)).map(({ content }) => content).sort()).toEqual(['other', 'twice']);
  });

  test('are replayed whole to the queue in which they died, and to no other', async () => {
    // A message of which the consumer does not know that it cannot read it: it is taken again as it was.
    const { ctx, admin, projects, tasks } = platform;
    const { id: project_id } = await projects.createProject({ name: 'Replayed' }, admin);
    const { id: task_id } = await tasks.createTask(
      { title: 'Run it', project_id, tags: [], dependencies: [], command: 'true' },
      admin,
    );
    const { execution_id } = await tasks.executeTask({ task_id }, admin);
    await ctx.executions.updateOne({ _id: execution_id }, { $set: { status: 'running', generation: 1 } });
    const now = new Date().toISOString();
    const result = {
      status: 'completed',
      ...{ execution_id, task_id, generation: 1, exit_code: 0, error: null, result: null },
      ...{ output_bytes: 0, cpu_seconds: null, peak_memory_bytes: null, started_at: now, finished_at: now },
    } as const;
    const event = newEvent('execution.finished', { actor: 'u', project_id }, result);
    sendUnreadable('{', event.id);
    const [letter] = await listed(1);
    const content = Buffer.from(JSON.stringify(event)).toString('base64');
    await ctx.deadLetters.updateOne({ _id: letter?.id ?? '' }, { $set: { content } });
    const seen: string[] = [];
    await using _ = await ctx.bus.subscribe<typeof event>(
      { exchange: 'events', patterns: ['execution.finished.#'], prefetch: 1 },
      async ({ id }) => void seen.push(id),
    );
    expect(await replay(letter?.id ?? '')).toMatchObject({ replayed_count: 1, replayed_at: expect.any(String) });
    await until('the result to be taken', async () => {
      const execution = await ctx.executions.findById(execution_id).lean();
      return execution?.status === 'completed';
    });
    expect(await list()).toEqual([]);
    expect(seen).toEqual([]);
  });

  test('that still cannot be read come back with a new time, also when they are faster than the replay', async () => {
    sendUnreadable('{ again', newId());
    const [letter] = await listed(1);
    const old = new Date(0);
    await platform.ctx.deadLetters.updateOne({ _id: letter?.id ?? '' }, { $set: { died_at: old, stored_at: old } });
    const { deadLetters } = platform.ctx;
    const remove = deadLetters.deleteOne.bind(deadLetters);
    const isBack = async () => (await deadLetters.findById(letter?.id).lean())?.stored_at.getTime() !== 0;
    const slow = jest
      .spyOn(deadLetters, 'deleteOne')
      .mockImplementation(((...args: Parameters<typeof remove>) =>
        until('it to die again', isBack).then(() => remove(...args))) as never);
    expect(await replay()).toMatchObject({ replayed_count: 1 });
    slow.mockRestore();
    const [back] = await listed(1);
    expect(back?.id).toBe(letter?.id);
    expect(Date.parse(back?.died_at ?? '')).toBeGreaterThan(Date.now() - 10_000);
    const stored = await deadLetters.findById(back?.id).lean();
    // The broker counts deaths in its headers: those of the first life are not sent with the second.
    expect(stored).toMatchObject({ headers: '{}', replay: null });
  });

  test('are sent once when two ask at the same time, and again when a process died on the way', async () => {
    await channel.assertQueue(`${resultsQueue}.tests`, { exclusive: true });
    sendUnreadable('sent once');
    const [letter] = await listed(1);
    const _id = letter?.id ?? '';
    await platform.ctx.deadLetters.updateOne({ _id }, { $set: { queue: `${resultsQueue}.tests` } });
    const answers = await Promise.all([replay(_id), replay(_id), replay()]);
    expect(answers.map(({ replayed_count }) => replayed_count).sort()).toEqual([0, 0, 1]);
    expect((await channel.checkQueue(`${resultsQueue}.tests`)).messageCount).toBe(1);

    sendUnreadable('left');
    const [left] = await listed(1);
    const mark = (at: Date) =>
      platform.ctx.deadLetters.updateOne(
        { _id: left?.id ?? '' },
        { $set: { queue: `${resultsQueue}.tests`, replay: { token: 'x', at } } },
      );
    await mark(new Date());
    expect(await replay()).toMatchObject({ replayed_count: 0 });
    await mark(new Date(Date.now() - 61_000));
    expect(await replay()).toMatchObject({ replayed_count: 1 });
    expect(await list()).toEqual([]);
  });

  test('of a queue that is gone, or of which too little is known, stay', async () => {
    sendUnreadable('homeless');
    sendUnreadable(Buffer.alloc(1_048_577, 'x'));
    channel.publish(platform.ctx.bus.names.deadLetters, 'by hand', Buffer.from('by hand'));
    const letters = await listed(3);
    const homeless = letters.find(({ content }) => content === 'homeless');
    await platform.ctx.deadLetters.updateOne({ _id: homeless?.id ?? '' }, { $set: { queue: 'no such queue' } });
    expect(await replay()).toMatchObject({ replayed_count: 0 });
    expect((await list()).map(({ content, replayable }) => [content.slice(0, 8), replayable]).sort()).toEqual([
      ['by hand', false],
      ['homeless', true],
      ['xxxxxxxx', false],
    ]);
    expect((await platform.ctx.deadLetters.findById(homeless?.id).lean())?.replay).toBeNull();
    expect(await replay(newId())).toMatchObject({ replayed_count: 0 });
  });

  test('are bounded in number and age, and counted for operators', async () => {
    const { ctx } = platform;
    for (const text of ['a', 'b', 'c']) {
      sendUnreadable(text);
      await until(text, async () => (await list()).some(({ content }) => content === text));
    }
    await boundDeadLetters(ctx, 2);
    expect((await list()).map(({ content }) => content).sort()).toEqual(['b', 'c']);
    expect(await metrics.getSingleMetricAsString('dead_letters')).toContain('dead_letters 2');
    const days = ctx.config.DEAD_LETTER_TTL_DAYS;
    await dropOutdatedDeadLetters(ctx, Date.now() + (days - 1) * 86_400_000);
    expect(await list()).toHaveLength(2);
    await dropOutdatedDeadLetters(ctx, Date.now() + (days + 1) * 86_400_000);
    expect(await list()).toEqual([]);
  });

  test('are read by an index, however many there are', async () => {
    const { collection } = platform.ctx.deadLetters;
    const queries = [
      collection.find({}).sort({ died_at: -1, _id: -1 }).limit(100),
      collection.find({ stored_at: { $lte: new Date() } }).sort({ stored_at: 1 }),
      collection.find({}).sort({ stored_at: -1 }).skip(2).limit(1),
    ];
    for (const query of queries) {
      const plan = JSON.stringify((await query.explain('queryPlanner')).queryPlanner.winningPlan);
      expect(plan).toContain('IXSCAN');
      expect(plan).not.toContain('COLLSCAN');
      expect(plan).not.toContain('"SORT"');
    }
  });
});

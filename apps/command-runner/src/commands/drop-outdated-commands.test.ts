import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Harness, type TestRunner } from '../testing/harness.ts';
import { type CommandRecord, newRecord } from './command.ts';
import { dropOutdatedCommands } from './drop-outdated-commands.ts';

const dayMs = 86_400_000;
let harness: Harness;
let runner: TestRunner;

beforeAll(async () => {
  harness = await Harness.start();
  runner = await harness.runner({ EXECUTION_TTL_DAYS: '10' });
});
afterAll(() => harness[Symbol.asyncDispose]());

async function stored(days: number, given: Partial<CommandRecord> = {}): Promise<CommandRecord> {
  const { ctx } = runner;
  const _id = newId();
  const facts = { command: 'true', working_directory: '/', user_id: 'ann', project_id: null, task_id: null };
  const started_at = new Date(Date.now() - days * dayMs);
  const made = newRecord({ ...facts, _id, run_id: `${_id}.1`, kind: 'direct' as const, started_at }, ctx.runner);
  const record: CommandRecord = { ...made, status: 'completed', heartbeat_at: new Date(), ...given };
  await ctx.commands.add(record);
  const pieces = [{ number: 1, stream: 'stdout' as const, content: 'x', timestamp: new Date().toISOString() }];
  await ctx.outputs.put(record.run_id, { sequence: 1, pieces, bytes: 1 } as never);
  return record;
}

const isThere = async ({ _id, run_id }: CommandRecord) => [
  (await runner.ctx.commands.find(_id)) !== null,
  (await runner.ctx.outputs.piecesOf(run_id)).length > 0,
];

test('commands go with their output when they are too old, unless they run or are still to be told of', async () => {
  const { ctx } = runner;
  const time = new Date(Date.now() + dayMs).toISOString();
  const old = await stored(30);
  const others = [
    await stored(5),
    await stored(30, { status: 'running', runner_id: 'somewhere', host: 'elsewhere' }),
    await stored(30, { outbox: [{ id: newId(), time } as never] }),
  ];
  await dropOutdatedCommands(ctx);
  expect(await isThere(old)).toEqual([false, false]);
  for (const other of others) expect(await isThere(other)).toEqual([true, true]);
});

test('they are found by an index, in its order', async () => {
  const old = { started_at: { $lt: new Date() }, status: { $ne: 'running' }, outbox: { $size: 0 } };
  const plan = await planOf(runner.ctx.commands.model.collection.find(old).sort({ started_at: 1 }).limit(500) as never);
  expect([plan.includes('IXSCAN'), plan.includes('COLLSCAN'), sortsByItself(plan)]).toEqual([true, false, false]);
});

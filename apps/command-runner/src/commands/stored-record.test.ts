import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Harness, type TestRunner } from '../testing/harness.ts';
import { type CommandEnd, type CommandRecord, newRecord } from './command.ts';
import { StoredRecord } from './stored-record.ts';

const log = createLogger('test', 'silent');
let harness: Harness;
let runner: TestRunner;

beforeAll(async () => {
  harness = await Harness.start();
  runner = await harness.runner();
});

afterAll(() => harness[Symbol.asyncDispose]());

const recordOf = (run = 1): CommandRecord => {
  const id = newId();
  const facts = { command: 'true', working_directory: '/', user_id: 'ann', project_id: null, task_id: null };
  const about = { ...facts, _id: id, run_id: `${id}.${run}`, kind: 'execution' as const, started_at: new Date() };
  return newRecord(about, runner.ctx.runner);
};

const end: CommandEnd = {
  ...{ status: 'completed', exit_code: 0, error: null, duration_ms: 3, completed_at: new Date() },
  ...{ output_bytes: 0, output_pieces: 0, output_truncated: false, cpu_seconds: 0, peak_memory_bytes: null },
};

const find = (id: string) => runner.ctx.commands.find(id);

test('a run whose record could not be stored is stored whole with its end', async () => {
  const record = recordOf();
  const { add } = runner.ctx.commands;
  runner.ctx.commands.add = () => Promise.reject(new Error('away'));
  const stored = new StoredRecord(runner.ctx.commands, record, false, log);
  stored.began(4711, 'then');
  await stored.ensure();
  runner.ctx.commands.add = add;
  expect(await find(record._id)).toBeNull();
  expect(await stored.finish(end, undefined)).toBe(true);
  expect(await find(record._id)).toEqual({ ...record, ...end, pid: 4711, pid_started: 'then' });
});

test('an end that is stored twice, because the answer was lost, is stored once', async () => {
  const record = recordOf();
  const { finish } = runner.ctx.commands;
  let lost = 1;
  runner.ctx.commands.finish = async (...args) => {
    const answer = await finish.apply(runner.ctx.commands, args);
    if (lost-- > 0) throw new Error('the answer is lost');
    return answer;
  };
  const event = { id: 'report', time: 'now', event: { type: 'execution.finished' } } as never;
  expect(await new StoredRecord(runner.ctx.commands, record, false, log).finish(end, event)).toBe(true);
  runner.ctx.commands.finish = finish;
  expect((await find(record._id))?.outbox).toHaveLength(1);
  await runner.ctx.commands.model.deleteOne({ _id: record._id });
});

test('what another attempt has replaced stays as that left it', async () => {
  const late = recordOf();
  const newer = { ...late, run_id: `${late._id}.2` };
  await runner.ctx.commands.begin(newer);
  const stored = new StoredRecord(runner.ctx.commands, late, false, log);
  await stored.ensure();
  expect(await stored.finish(end, undefined)).toBe(false);
  expect(await find(late._id)).toMatchObject({ run_id: newer.run_id, status: 'running' });
  await runner.ctx.commands.model.deleteOne({ _id: late._id });
});

test('a record that is stored before its process is there is told of the process', async () => {
  const record = recordOf();
  const stored = new StoredRecord(runner.ctx.commands, record, false, log);
  const storing = stored.ensure();
  stored.began(4712, 'then');
  await storing;
  await until('it has the process', async () => (await find(record._id))?.pid === 4712);
  expect(await stored.finish(end, undefined)).toBe(true);
  expect(await find(record._id)).toMatchObject({ status: 'completed', pid: 4712 });
});

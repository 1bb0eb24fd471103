import { logCommands, monitored } from '@claude-cli/shared/testing/commands';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Harness, type TestRunner } from '../testing/harness.ts';

let harness: Harness;
let runner: TestRunner;

beforeAll(async () => {
  harness = await Harness.start();
  runner = await harness.runner({ MONGODB_URI: monitored(harness.env.MONGODB_URI ?? '') });
});

afterAll(() => harness[Symbol.asyncDispose]());

/** Run a command until its report is told and taken out of its record. */
async function runToEnd(command: string): Promise<void> {
  const { execution_id } = await harness.execute(command);
  await harness.finished(execution_id);
  await until('the report is taken out of the record', async () => {
    const record = await runner.ctx.commands.find(execution_id);
    return record?.status === 'completed' && record.outbox.length === 0;
  });
}

/** What a run asks of the database, the looks of timers and of this test left out. */
async function askedBy(command: string): Promise<string[]> {
  // Its directory and the connections are there afterwards.
  await runToEnd('true');
  using log = logCommands(runner.ctx.commands.model.db);
  await runToEnd(command);
  return log.commands.filter((each) => !/^(find|ping|hello|endSessions)/.test(each));
}

test('a run that is over at once and writes nothing is stored once, with its report, which is taken out when it is told', async () => {
  // Where the machine is slow, some are not over at once.
  await until('one is stored once', async () => {
    const asked = await askedBy('true');
    expect(asked.filter((each) => each !== 'insert commands')).toEqual(['update commands', 'update commands']);
    return asked.length === 2;
  });
});

test('before the output of a run its record is stored', async () => {
  const asked = await askedBy('echo hello');
  expect(asked).toEqual(['insert commands', 'update command_output', 'update commands', 'update commands']);
});

test('a run that goes on is recorded with its process before it has written anything', async () => {
  const { execution_id } = await harness.execute('sleep 60');
  const record = await until('it is recorded', async () => {
    return (await runner.ctx.commands.find(execution_id)) ?? undefined;
  });
  const running = runner.ctx.running.get(execution_id);
  expect(record).toMatchObject({ status: 'running', pid: running?.pid, pid_started: expect.any(String) });
  running?.stop('cancelled');
  await harness.finished(execution_id);
});

import { until } from '@claude-cli/shared/testing/until';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { as, Harness } from '../testing/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.start();
});

afterAll(() => harness[Symbol.asyncDispose]());

afterEach(() => harness.reset());

const told = () => harness.standIn.renewals.flatMap(({ progress_percentage }) => progress_percentage ?? []);
const shownOf = (id: string) => harness.shown(id).flatMap(({ pieces }) => pieces.map(({ content }) => content));

test('progress in the output of an execution is told long before its lease is due, and taken out', async () => {
  await harness.runner();
  const marks =
    "echo '::progress 30 building'; sleep 2; printf 'a\\033]9;4;1;60\\007b\\n'; sleep 2; echo '::progress 90'";
  const job = await harness.execute(marks, { lease_ms: 60_000 });
  const first = await until('the first is told', () => told()[0] !== undefined && Date.now());
  await until('the second is told', () => told().includes(60));
  expect(Date.now() - first).toBeLessThan(10_000);
  const result = await harness.finished(job.execution_id);
  expect(result).toMatchObject({ status: 'completed', cpu_seconds: expect.any(Number) });
  expect(told().slice(0, 2)).toEqual([30, 60]);
  expect(shownOf(job.execution_id).join('')).toBe('building\nab\n');
});

test('a flood of progress is told at a bounded rate', async () => {
  await harness.runner();
  const job = await harness.execute('for i in $(seq 100); do echo "::progress $i"; sleep 0.01; done; sleep 0.6');
  await harness.finished(job.execution_id);
  expect(told().length).toBeGreaterThan(0);
  expect(harness.standIn.renewals.length).toBeLessThan(20);
  expect(shownOf(job.execution_id)).toEqual([]);
});

test('a direct command has no task to tell progress to: its output stays as it is', async () => {
  const runner = await harness.runner();
  const request = { command: "echo '::progress 30'", environment: {} };
  const { command_id } = await runner.commands.executeCommand(request, as('ann'));
  await runner.ctx.running.get(command_id)?.ended;
  const { output } = await runner.commands.getCommandStatus({ command_id }, as('ann'));
  expect(output.map(({ content }) => content)).toEqual(['::progress 30\n']);
});

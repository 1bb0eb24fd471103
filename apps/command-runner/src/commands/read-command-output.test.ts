import { newId } from '@claude-cli/shared/ids';
import { planOf } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { as, Harness, type TestRunner } from '../testing/harness.ts';

let harness: Harness;
let runner: TestRunner;
const ann = as(newId());

beforeAll(async () => {
  harness = await Harness.start({ OUTPUT_LIMIT_BYTES: '8192' });
  runner = await harness.runner();
});
afterAll(() => harness[Symbol.asyncDispose]());

async function run(command: string): Promise<string> {
  const { command_id } = await runner.commands.executeCommand({ command, environment: {} }, ann);
  await until('its end', async () => {
    return (await runner.commands.getCommandStatus({ command_id }, ann)).status !== 'running';
  });
  return command_id;
}

test('output is read from any piece on, to the end, which has the number after the last piece', async () => {
  const command_id = await run('for i in 1 2 3 4 5; do echo $i; sleep 0.04; done; exit 3');
  const place = await runner.commands.readCommandOutput({ command_id, after: 0, limit: 0 }, ann);
  expect(place).toMatchObject({ run_id: command_id, chunks: [], last: 6 });
  for (const after of [0, 2, 4, 5]) {
    const page = await runner.commands.readCommandOutput({ command_id, after, limit: 100 }, ann);
    const numbered = page.chunks.flatMap(({ sequence, pieces }) =>
      pieces.map((piece, i) => [sequence + i, piece.content]),
    );
    expect(numbered.filter(([number]) => Number(number) > after)).toEqual(
      [1, 2, 3, 4, 5].slice(after).map((number) => [number, `${number}\n`]),
    );
    expect(page).toMatchObject({ complete: true, end: { sequence: 6, status: 'failed', exit_code: 3 } });
  }
  const nothing = await runner.commands.readCommandOutput({ command_id, after: 6, limit: 9 }, ann);
  expect(nothing.end).toBeUndefined();
});

test('pages follow each other without hole or double', async () => {
  const command_id = await run('for i in 1 2 3 4 5 6; do echo $i; sleep 0.04; done');
  const texts: string[] = [];
  let after = 0;
  for (;;) {
    const page = await runner.commands.readCommandOutput({ command_id, after, limit: 1 }, ann);
    for (const { sequence, pieces } of page.chunks) {
      expect(sequence).toBe(after + 1);
      texts.push(...pieces.map(({ content }) => content));
      after += pieces.length;
    }
    if (page.complete) break;
  }
  expect(texts.join('')).toBe('1\n2\n3\n4\n5\n6\n');
});

test('what the bound dropped is seen by its numbers', async () => {
  const command_id = await run(
    'for i in $(seq 1 400); do echo "line $i of many that are much too many"; done; sleep 0.1; echo last',
  );
  const { chunks, end } = await runner.commands.readCommandOutput({ command_id, after: 0, limit: 1_000 }, ann);
  const numbers = chunks.flatMap(({ sequence, pieces }) => pieces.map((_, i) => sequence + i));
  expect(numbers[0]).toBe(1);
  expect(numbers.at(-1)).toBe((end?.sequence ?? 0) - 1);
  expect(numbers.length).toBeLessThan(numbers.at(-1) ?? 0);
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(chunks.flatMap(({ pieces }) => pieces).some(({ stream }) => stream === 'system')).toBe(false);
});

test('of another run than the present one nothing is told but which one that is', async () => {
  const command_id = await run('echo hello');
  const page = await runner.commands.readCommandOutput({ command_id, run_id: 'another', after: 0, limit: 9 }, ann);
  expect(page).toMatchObject({ run_id: command_id, chunks: [], complete: true });
});

test('the output of others is not read', async () => {
  const command_id = await run('echo secret');
  const asked = runner.commands.readCommandOutput({ command_id, after: 0, limit: 9 }, as(newId()));
  await expect(asked).rejects.toMatchObject({ code: 'RESOURCE_NOT_FOUND' });
});

test('reading from a piece on uses the index', async () => {
  const { model } = runner.ctx.outputs;
  for (const query of [
    model.findOne({ run_id: 'r', sequence: { $lte: 7 } }, { sequence: 1 }).sort({ sequence: -1 }),
    model.find({ run_id: 'r', sequence: { $gte: 7 } }).sort({ sequence: 1 }),
    model.findOne({ run_id: 'r' }).sort({ sequence: -1 }),
  ]) {
    const plan = await planOf(query);
    expect(plan).toContain('IXSCAN');
    expect(plan).not.toContain('COLLSCAN');
  }
});

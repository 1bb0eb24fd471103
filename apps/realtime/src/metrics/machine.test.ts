import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@claude-cli/shared/testing/until';
import { expect, test } from '@jest/globals';
import { Machine } from './machine.ts';

test('without limits of a container the machine is measured', async () => {
  const { cpu_usage, memory_usage } = await new Machine('/nowhere').usage();
  expect(cpu_usage).toBeGreaterThanOrEqual(0);
  expect(cpu_usage).toBeLessThanOrEqual(100);
  expect(memory_usage).toBeGreaterThan(0);
  expect(memory_usage).toBeLessThan(100);
});

test('a container is measured by its own limits; files that the system keeps for it do not count', async () => {
  const group = await mkdtemp(join(tmpdir(), 'group-'));
  const write = (files: Record<string, string>) =>
    Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(group, name), text)));
  await write({
    'memory.max': '1000000\n',
    'memory.current': '700000\n',
    'memory.stat': 'anon 400000\ninactive_file 200000\n',
    'cpu.max': '100000 100000\n',
    'cpu.stat': 'usage_usec 0\n',
  });
  const machine = new Machine(group);
  expect(await machine.usage()).toEqual({ cpu_usage: 0, memory_usage: 50 });
  // More than one processor can do in the time: the percentage is of the limit.
  await write({ 'cpu.stat': 'usage_usec 1000000000\n' });
  await until('all of the processor to be used', async () => (await machine.usage()).cpu_usage === 100);
  await rm(group, { recursive: true });
});

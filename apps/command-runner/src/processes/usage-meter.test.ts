import { expect, test } from '@jest/globals';
import { type ProcStat, readAllStats, readStat } from './proc-stat.ts';
import { readTimes } from './sandbox.ts';
import { membersOf } from './usage-meter.ts';

const stat = (pid: number, parent: number, session = pid): ProcStat => ({
  pid,
  parent,
  session,
  state: 'S',
  ticks: 0,
  childTicks: 0,
  started: '1',
});

const idsOf = (all: ProcStat[], ...roots: number[]) =>
  Object.fromEntries([...membersOf(all, new Set(roots))].map(([root, found]) => [root, found.map(({ pid }) => pid)]));

test('a process belongs to the run that it descends from, or in whose session it still is', () => {
  const all = [
    stat(1, 0),
    stat(10, 1),
    stat(11, 10, 10),
    // Left the session, not its parent.
    stat(12, 11),
    // Its parent is gone, the session is not.
    stat(13, 1, 10),
    stat(20, 1),
    stat(21, 20),
    // A daemon: nothing ties it to a run.
    stat(30, 1),
  ];
  expect(idsOf(all, 10, 20)).toEqual({ 10: [10, 11, 12, 13], 20: [20, 21] });
  expect(idsOf(all.toReversed(), 10)).toEqual({ 10: [13, 12, 11, 10] });
});

test('processes nested without measure, or in a circle, do no harm', () => {
  const chain = Array.from({ length: 100_000 }, (_, index) => stat(index + 10, index + 9));
  expect(idsOf(chain.toReversed(), 10)[10]).toHaveLength(100_000);
  expect(idsOf([stat(5, 6), stat(6, 5)], 10)).toEqual({});
});

test('what /proc tells of this process is right', () => {
  const spent = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const before = spent();
  const me = readStat('self');
  const after = spent();
  expect(me).toMatchObject({ pid: process.pid, parent: process.ppid });
  // Counted in hundredths of a second, of user and of system.
  expect(Number(me?.ticks) / 100).toBeGreaterThan(before - 0.05);
  expect(Number(me?.ticks) / 100).toBeLessThan(after + 0.05);
  expect(readAllStats().map(({ pid }) => pid)).toContain(process.pid);
  expect(readStat(4_194_305)).toBeUndefined();
});

test('times are read as a shell writes them', () => {
  expect(readTimes('0m0.010000s 0m0.000000s\n1m2.500000s 0m0.250000s\n')).toBe(62.75);
  expect(readTimes('0m0.010s 0m0.000s\n0m0.530s 0m0.010s\n')).toBeCloseTo(0.54);
  expect(readTimes('')).toBeUndefined();
  expect(readTimes('nonsense\n')).toBeUndefined();
});

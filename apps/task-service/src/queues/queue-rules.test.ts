import { expect, test } from '@jest/globals';
import { placeOf, waitOf } from './forecast.ts';
import { HistogramBuilder, percentilesOf, relativeError } from './histogram.ts';
import { type Ended, successRate, sumOf, TallyBuilder, totalOf } from './tally.ts';

test('a place counts what is served before, in rounds of six high, three normal and one low', () => {
  const waiting = { high: 100, normal: 100, low: 100 };
  expect(placeOf('high', 0, waiting)).toBe(1);
  expect(placeOf('high', 5, waiting)).toBe(6);
  expect(placeOf('high', 6, waiting)).toBe(7 + 3 + 1);
  expect(placeOf('normal', 0, waiting)).toBe(6 + 1);
  expect(placeOf('normal', 3, waiting)).toBe(6 + 3 + 1 + 6 + 1);
  expect(placeOf('low', 0, waiting)).toBe(6 + 3 + 1);
  expect(placeOf('low', 4, waiting)).toBe(50);
});

test('a place never counts more of a queue than wait there', () => {
  expect(placeOf('low', 0, { high: 2, normal: 0, low: 0 })).toBe(3);
  expect(placeOf('normal', 99, { high: 0, normal: 0, low: 0 })).toBe(100);
  expect(placeOf('high', 60, { high: 0, normal: 2, low: 1 })).toBe(64);
});

test('a free slot starts an execution at once, and each busy one when its run has taken the mean', () => {
  const meanMs = 60_000;
  expect(waitOf(1, { slots: 2, running: 1, elapsedMs: [10_000], meanMs })).toBe(0);
  expect(waitOf(2, { slots: 2, running: 1, elapsedMs: [10_000], meanMs })).toBe(50_000);
  const busy = { slots: 2, running: 2, elapsedMs: [10_000, 40_000], meanMs };
  expect([1, 2, 3, 4, 5].map((place) => waitOf(place, busy))).toEqual([20_000, 50_000, 80_000, 110_000, 140_000]);
});

test('a run that has outlived the mean counts as one that began again; without runners one slot is assumed', () => {
  const meanMs = 60_000;
  expect(waitOf(1, { slots: 1, running: 1, elapsedMs: [70_000], meanMs })).toBe(50_000);
  expect(waitOf(1, { slots: 0, running: 0, elapsedMs: [], meanMs })).toBe(0);
  expect(waitOf(3, { slots: 0, running: 0, elapsedMs: [], meanMs })).toBe(120_000);
  // Runs of runners that have just gone are more than the slots that are left.
  expect(waitOf(1, { slots: 1, running: 3, elapsedMs: [0, 30_000, 45_000], meanMs })).toBe(15_000);
});

test('a part of very many runs stands for all of them', () => {
  const meanMs = 100;
  const sampled = { slots: 4_000, running: 4_000, elapsedMs: [90, 60, 30, 0], meanMs };
  expect([1, 1_000, 1_001, 4_000, 4_001].map((place) => waitOf(place, sampled))).toEqual([10, 10, 40, 100, 110]);
});

test('percentiles are by nearest rank and within the stated share of their value, from a millisecond to weeks', () => {
  for (const unit of [1, 1_000, 3_600_000]) {
    const all = new HistogramBuilder();
    for (let n = 1; n <= 1_000; n++) all.add(n * unit);
    const found = percentilesOf(all.build());
    const exact = { p50: 500 * unit, p95: 950 * unit, p99: 990 * unit };
    for (const name of ['p50', 'p95', 'p99'] as const) {
      const error = Math.abs((found?.[name] ?? 0) - exact[name]) / exact[name];
      expect(error).toBeLessThanOrEqual(relativeError + 1e-9);
    }
  }
  expect(relativeError).toBeLessThan(0.025);
});

test('histograms that are added up are the histogram of all', () => {
  const [one, other, all] = [new HistogramBuilder(), new HistogramBuilder(), new HistogramBuilder()];
  for (const [n, ms] of [0, 1, 7, 7, 300, 86_400_000, 10 ** 12].entries()) {
    (n % 2 ? one : other).add(ms);
    all.add(ms);
  }
  const sum = new HistogramBuilder();
  for (const part of [one, other]) sum.addAll(part.build());
  expect(sum.build()).toEqual(all.build());
  expect(percentilesOf(new HistogramBuilder().build())).toBeUndefined();
});

test('a tally tells failures from cancellations, and takes times only of what has started', () => {
  const at = (seconds: number) => new Date(seconds * 1_000);
  const ended = (status: Ended['status'], started: number | null, finished: number): Ended => ({
    priority: 'high',
    status,
    queued_at: at(0),
    started_at: started === null ? null : at(started),
    finished_at: at(finished),
  });
  const tally = new TallyBuilder();
  tally.addQueued(4);
  for (const one of [
    ended('completed', 10, 30),
    ended('failed', 10, 40),
    ended('timed_out', 10, 50),
    ended('cancelled', 20, 90),
    ended('cancelled', null, 5),
  ])
    tally.addEnded(one);
  const high = tally.build();
  expect(high).toMatchObject({ queued: 4, completed: 1, failed: 2, cancelled: 2, run_ms: 90_000 });
  expect(percentilesOf(high.wait)?.p99).toBeCloseTo(20_000, -3);
  expect(successRate(high)).toBe(0.3333);
  const nothing = new TallyBuilder().build();
  expect(successRate(nothing)).toBeUndefined();
  const queues = { high, normal: nothing, low: nothing };
  expect(totalOf(sumOf([queues, queues]))).toMatchObject({ queued: 8, failed: 4, run_ms: 180_000 });
});

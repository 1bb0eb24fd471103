import { spawnSync } from 'node:child_process';
import { serviceNames } from '../../scripts/platform/services.ts';
import { createProject, createTasks, executeAll, hold, type Measured, untilQueued } from './platform.ts';

const queue = 'low_priority';
const timeoutMs = 300_000;
const megabyte = 1024 * 1024;
/** Executions that are claimed while one figure is taken: for many seconds, since lengths of queues are told a second late. */
const claimed = 1_500;
/** Executions that are claimed before. */
const aside = 200;

/** What a long queue costs. */
export interface QueueLength {
  acceptedPerSecond: number;
  /** Resident megabytes of each app, before the executions were queued and after. */
  memory: Record<string, { before: number; after: number }>;
}

/** What claims cost while so many are queued at least: milliseconds of ClaimExecution in task-service, and claims a second. */
export interface ClaimCost {
  mean: number;
  p50: number;
  perSecond: number;
}

interface Histogram {
  count: number;
  sum: number;
  /** Upper bounds in seconds, and how many took no longer. */
  buckets: [number, number][];
}

/** Queue many executions while the runners stand still, and look at the memory of the apps. */
export async function measureQueueing(measured: Measured, count: number): Promise<QueueLength> {
  const { api } = measured;
  const projectId = await createProject(api);
  const taskIds = await createTasks(api, projectId, 'true', count + aside + claimed);
  const before = memoryOf(measured);
  hold(measured, 'SIGSTOP');
  const acceptedPerSecond = await executeAll(api, taskIds, 'low');
  const after = memoryOf(measured);
  const memory = Object.fromEntries(
    serviceNames.map((name) => [name, { before: before[name] ?? Number.NaN, after: after[name] ?? Number.NaN }]),
  );
  return { acceptedPerSecond, memory };
}

/** Let the runners go on until so many are left, and tell what the claims cost. */
export async function measureClaims(measured: Measured, left: number): Promise<ClaimCost> {
  hold(measured, 'SIGCONT');
  // The broker has given the runner up if it stood still for long: it connects again first.
  await untilQueued(measured.api, queue, left + claimed, timeoutMs);
  const before = await claimHistogram(measured);
  const started = performance.now();
  await untilQueued(measured.api, queue, left, timeoutMs);
  const seconds = (performance.now() - started) / 1000;
  const after = await claimHistogram(measured);
  const count = after.count - before.count;
  const mean = ((after.sum - before.sum) * 1000) / count;
  const passed = after.buckets.map(([bound, total], n): [number, number] => [
    bound,
    total - (before.buckets[n]?.[1] ?? 0),
  ]);
  return { mean, p50: medianOf(passed, count) * 1000, perSecond: count / seconds };
}

/** Let the runners work off what is left. */
export async function drain(measured: Measured): Promise<void> {
  await untilQueued(measured.api, queue, 0, timeoutMs);
}

/** The median by its bucket, as if the calls of a bucket were spread evenly over it. */
function medianOf(buckets: [number, number][], count: number): number {
  let [lower, below] = [0, 0];
  for (const [bound, total] of buckets) {
    if (total >= count / 2) return lower + ((bound - lower) * (count / 2 - below)) / Math.max(1, total - below);
    [lower, below] = [bound, total];
  }
  return Number.POSITIVE_INFINITY;
}

async function claimHistogram(measured: Measured): Promise<Histogram> {
  const histogram: Histogram = { count: 0, sum: 0, buckets: [] };
  for (const line of (await taskServiceMetrics(measured)).split('\n')) {
    if (!/side="server"/.test(line) || !/ClaimExecution/.test(line) || !/code="OK"/.test(line)) continue;
    const value = Number(line.slice(line.lastIndexOf(' ') + 1));
    if (line.startsWith('rpc_duration_seconds_count')) histogram.count = value;
    else if (line.startsWith('rpc_duration_seconds_sum')) histogram.sum = value;
    else {
      const bound = /le="([\d.]+)"/.exec(line)?.[1];
      if (bound) histogram.buckets.push([Number(bound), value]);
    }
  }
  return histogram;
}

/** As the system says it: what stands still cannot be asked. */
function memoryOf({ platform }: Measured): Record<string, number> {
  const residentOf = (pid: number | undefined) =>
    Number(spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout) * 1024;
  return Object.fromEntries(
    serviceNames.map((name) => [name, Math.round(residentOf(platform.pid(name)) / megabyte)] as const),
  );
}

async function taskServiceMetrics({ platform }: Measured): Promise<string> {
  const response = await fetch(platform.metricsUrl('task-service'), { signal: AbortSignal.timeout(10_000) });
  return response.text();
}

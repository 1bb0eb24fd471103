import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { ApiClient } from '../../scripts/api-client.ts';
import { processorTimes } from '../measures/processor-time.ts';
import { createProject, createTasks, executeAll, hold, type Measured, untilQueued } from './platform.ts';

const queue = 'normal_priority';
const pageSize = 100;
const drainTimeoutMs = 300_000;
/** Milliseconds per execution below which an app is not worth a column. */
const leastCost = 0.1;

/** Executions of a command that does nothing. */
export interface Throughput {
  /** Accepted in a second while none may start. */
  acceptedPerSecond: number;
  /** Ended in a second, with all that follows from an end, without the first and the last tenth. */
  endedPerSecond: number;
  /** Milliseconds of processor time per execution, from the first start to the last end, by app. */
  processor: Record<string, number>;
}

/** How many executions of `true` a platform does in a second: all are queued first, then the runners go on. */
export async function measureThroughput(measured: Measured, executions: number): Promise<Throughput> {
  const { api } = measured;
  const projectId = await createProject(api);
  const taskIds = await createTasks(api, projectId, 'true', executions);
  hold(measured, 'SIGSTOP');
  const acceptedPerSecond = await executeAll(api, taskIds);
  const before = processorTimes();
  hold(measured, 'SIGCONT');
  await untilQueued(api, queue, 0, drainTimeoutMs);
  const after = processorTimes();
  const costs = [...after].map(([app, time]) => [app, (time - (before.get(app) ?? 0)) / 1000 / executions] as const);
  const processor = Object.fromEntries(costs.filter(([, cost]) => cost >= leastCost));
  return { acceptedPerSecond, endedPerSecond: rateOf(await endsOf(api, projectId, executions)), processor };
}

/** When each task was told last, which is when it ended. */
async function endsOf(api: ApiClient, projectId: string, count: number): Promise<number[]> {
  const ends: number[] = [];
  for (let page = 1; page <= Math.ceil(count / pageSize); page++) {
    const path = `/api/tasks?project_id=${projectId}&status=completed&page=${page}&page_size=${pageSize}`;
    const { items } = await api.call<{ items: { updated_at: string }[] }>('GET', path);
    for (const { updated_at } of items) ends.push(Date.parse(updated_at));
  }
  if (ends.length !== count) throw new Error(`only ${ends.length} of ${count} executions were completed`);
  return ends.sort((a, b) => a - b);
}

function rateOf(ends: number[]): number {
  const middle = ends.slice(Math.floor(ends.length * 0.1), Math.ceil(ends.length * 0.9));
  return ((middle.length - 1) * 1000) / ((middle.at(-1) ?? Number.NaN) - (middle[0] ?? Number.NaN));
}

/**
 * How many times a second a Node that does nothing else starts `/bin/sh -c true` and sees it end, so many at once. In a process
 * of its own, because starting one takes the longer the more memory the parent has.
 */
export async function measureSpawnFloor(concurrency: number, forMs: number): Promise<number> {
  const child = fork(new URL('./spawn-floor.ts', import.meta.url), [String(concurrency), String(forMs)]);
  const [perSecond] = await once(child, 'message');
  return Number(perSecond);
}

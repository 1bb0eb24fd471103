import { ApiClient } from '../../scripts/api-client.ts';
import { LiveConnection } from '../../scripts/live-connection.ts';
import { type Platform, startPlatform } from '../../scripts/platform/platform.ts';
import { poll } from '../../scripts/platform/poll.ts';
import type { Supervised } from '../../scripts/platform/supervised.ts';
import { makeTempDir } from '../../scripts/platform/temp-dir.ts';

/** A platform that is measured. */
export interface Measured extends AsyncDisposable {
  platform: Platform;
  api: ApiClient;
  /** The second command-runner, once there is one. */
  replica?: Supervised;
}

/** Requests that are under way at once when many are made. */
const parallel = 16;

/** Start a platform that refuses nothing for being asked often. */
export async function startMeasured(settings: Record<string, string>): Promise<Measured> {
  await using starting = new AsyncDisposableStack();
  const platform = starting.use(
    await startPlatform({
      dataDir: starting.use(makeTempDir()).path,
      port: 0,
      preferPrivateBroker: true,
      env: {
        ...process.env,
        ...{ LOG_LEVEL: 'warn', RATE_LIMIT_USER: '1000000', MAX_EVENT_LOOP_DELAY_MS: '60000', QUEUE_LIMIT: '20000' },
        ...{ AMQP_PREFIX: `bench_executions_${process.pid}`, ...settings },
      },
      onLine: (source, line) => console.error(source, line),
    }),
  );
  const visitor = new ApiClient(platform.url);
  const account = { username: platform.adminUsername, password: platform.adminPassword };
  const { access_token } = await visitor.call<{ access_token: string }>('POST', '/api/auth/login', account);
  const running = starting.move();
  return { platform, api: visitor.as(access_token), [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** A project that may hold and run as much as the benchmark wants. @returns its id */
export async function createProject(api: ApiClient): Promise<string> {
  const resource_limits = { max_tasks: 1_000_000, max_concurrent_tasks: 1000 };
  return (await api.call<{ id: string }>('POST', '/api/projects/', { name: 'Benchmark', resource_limits })).id;
}

/** Tasks that run a command. @returns their ids */
export function createTasks(api: ApiClient, project_id: string, command: string, count: number): Promise<string[]> {
  const body = { title: 'Benchmark', project_id, command };
  return many(count, async () => (await api.call<{ id: string }>('POST', '/api/tasks/', body)).id);
}

/** Ask for an execution of each. @returns how many were accepted in a second */
export async function executeAll(api: ApiClient, taskIds: string[], priority = 'normal'): Promise<number> {
  const started = performance.now();
  await many(taskIds.length, (n) => api.call('POST', `/api/tasks/${taskIds[n]}/execute`, { priority }));
  return (taskIds.length * 1000) / (performance.now() - started);
}

async function many<Result>(count: number, make: (n: number) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const n = next++;
      results[n] = await make(n);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, count) }, worker));
  return results;
}

/** How many wait in a queue, and how many run, as said at most a second ago. */
async function queueSize(api: ApiClient, queue: string): Promise<{ size: number; processing: number }> {
  type Status = { queues: Record<string, { size: number; processing: number }> };
  const { queues } = await api.call<Status>('GET', '/api/queues/status');
  const found = queues[queue];
  if (!found) throw new Error(`there is no queue ${queue}`);
  return found;
}

/** Resolves when at most so many wait; when that is none, also none runs. */
export async function untilQueued(api: ApiClient, queue: string, atMost: number, timeoutMs: number): Promise<void> {
  const reached = await poll(
    async () => {
      const { size, processing } = await queueSize(api, queue);
      return size <= atMost && (atMost > 0 || processing === 0) ? true : undefined;
    },
    { timeoutMs, intervalMs: 1_000 },
  );
  if (!reached) throw new Error(`more than ${atMost} are queued after ${timeoutMs / 1000} s`);
}

/** Let the runners stand still, so that a queue grows, or go on. */
export function hold({ platform, replica }: Measured, how: 'SIGSTOP' | 'SIGCONT'): void {
  platform.kill('command-runner', how);
  replica?.kill(how);
}

/** A live connection that is told of the project's tasks. */
export async function watchTasks({ platform, api }: Measured, project_id: string): Promise<LiveConnection> {
  const { session_id } = await api.call<{ session_id: string }>('POST', '/api/sessions/', { project_id });
  const live = await LiveConnection.open(platform.url, session_id);
  await live.authenticate(String(api.token));
  await live.subscribe('task_updates', project_id);
  return live;
}

/** The value at a share of sorted numbers. */
export function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}

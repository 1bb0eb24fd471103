/**
 * GET /api/tasks with a filter, a sort and a page, in projects of 1,000, 10,000 and 100,000 tasks of one store, through
 * gateway, task-service and project-service on the embedded store (or on MONGODB_URI). One request at a time, sizes in turn, so that whatever
 * else the machine does meets all of them alike. Run: node bench/lists.ts
 */
import { randomUUID } from 'node:crypto';
import { newId } from '@claude-cli/shared/ids';
import { databasePrefix } from '@claude-cli/shared/mongo';
import { type Collection, MongoClient } from 'mongodb';
import { searchableOf } from '../apps/task-service/src/tasks/searchable.ts';
import type { Task } from '../apps/task-service/src/tasks/task.ts';
import { ApiClient } from '../scripts/api-client.ts';
import { openDataDir } from '../scripts/platform/data-dir.ts';
import { migrateAll } from '../scripts/platform/migrate-all.ts';
import { addressEnv, assignAddresses, superviseService } from '../scripts/platform/services.ts';
import { superviseAll } from '../scripts/platform/supervised.ts';
import { makeTempDir } from '../scripts/platform/temp-dir.ts';
import { startTestInfrastructure } from '../scripts/test-infrastructure.ts';

const sizes = [1_000, 10_000, 100_000];
const measuredMs = Number(process.env.SECONDS ?? 45) * 1_000;
/** Requests of one size before it is the turn of the next. */
const inTurn = 10;
const batch = 2_000;

const queries = {
  'status=pending&sort=priority': 'status=pending&sort=priority&page_size=50',
  'status=pending,running&sort=title&order=asc': 'status=pending,running&sort=title&order=asc&page_size=50',
  'search=deploy AND gate*': 'search=deploy%20AND%20gate*&page_size=50',
};

const statuses = [
  'pending',
  'completed',
  'pending',
  'failed',
  'completed',
  'running',
  'cancelled',
  'completed',
] as const;
const words = (
  'user authentication gateway deploy database schema token session queue worker retry timeout index search page ' +
  'webhook signature payload client server error budget release branch review merge test coverage cache memory latency'
).split(' ');

/** A number from 0 up to, but without, `below`: the same for the same n, without a pattern over successive ones. */
const scattered = (n: number, below: number) => Math.floor(((Math.imul(n, 2_654_435_761) >>> 0) / 2 ** 32) * below);
const wordAt = (n: number) => words[scattered(n, words.length)] ?? '';
const textOf = (n: number, count: number) => Array.from({ length: count }, (_, i) => wordAt(n * 61 + i)).join(' ');

function taskOf(project_id: string, user_id: string, n: number): Task {
  const at = new Date(1_750_000_000_000 + n * 60_000);
  const texts = { title: `${textOf(n, 4)} ${n}`, description: textOf(n + 7, 12), tags: [wordAt(n + 1), wordAt(n + 2)] };
  const status = statuses[n % statuses.length] ?? 'pending';
  const ended = status === 'completed' || status === 'failed';
  return {
    _id: newId(),
    project_id,
    ...texts,
    ...searchableOf(texts),
    status,
    priority: scattered(n + 3, 101),
    progress_percentage: ended ? 100 : 0,
    estimated_duration_ms: null,
    actual_duration_ms: ended ? scattered(n, 3_600_000) : null,
    assigned_to: n % 3 === 0 ? user_id : null,
    created_by: user_id,
    created_at: at,
    updated_at: at,
    started_at: ended ? at : null,
    completed_at: ended ? at : null,
    metadata: { component: 'backend', number: n },
    command: null,
    dependencies: [],
    claimed_dependencies: null,
    schedule: null,
    latest_run: null,
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
}

async function fill(tasks: Collection<Task>, project_id: string, user_id: string, size: number): Promise<void> {
  for (let n = 0; n < size; n += batch) {
    const count = Math.min(batch, size - n);
    await tasks.insertMany(Array.from({ length: count }, (_, i) => taskOf(project_id, user_id, n + i)));
  }
}

const at = (sorted: number[], share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;

async function measure(client: ApiClient, projects: Map<number, string>, query: string, forMs: number) {
  const taken = new Map(sizes.map((size) => [size, [] as number[]]));
  const totals = new Map<number, number>();
  const ask = async (size: number) => {
    const from = performance.now();
    const path = `/api/tasks?project_id=${projects.get(size)}&${query}`;
    const { total } = await client.call<{ total: number }>('GET', path);
    totals.set(size, total);
    return performance.now() - from;
  };
  // The compilers of V8 need some hundreds of requests.
  for (let n = 0; n < 100; n++) for (const size of sizes) await ask(size);
  for (const until = performance.now() + forMs; performance.now() < until; ) {
    for (const size of sizes) for (let n = 0; n < inTurn; n++) taken.get(size)?.push(await ask(size));
  }
  return sizes.map((size) => {
    const sorted = (taken.get(size) ?? []).sort((a, b) => a - b);
    return { size, total: totals.get(size), requests: sorted.length, p50: at(sorted, 0.5), p95: at(sorted, 0.95) };
  });
}

/** The services that a list is answered by, on a store of their own. */
async function startServices() {
  await using starting = new AsyncDisposableStack();
  const infrastructure = starting.use(await startTestInfrastructure({ preferPrivateBroker: false }));
  const dataDir = starting.use(await openDataDir(starting.use(makeTempDir()).path));
  const name = `bench_lists_${process.pid}`;
  const uri = new URL(infrastructure.env.MONGODB_URI);
  uri.pathname = `/${name}`;
  const credentials = { username: 'admin', password: randomUUID() };
  const addresses = await assignAddresses(0);
  const env = {
    ...{ PATH: process.env.PATH, LOG_LEVEL: 'warn', RATE_LIMIT_USER: '1000000', DATA_DIR: dataDir.path },
    ...{ MONGODB_URI: uri.href, AMQP_URL: infrastructure.env.AMQP_URL, AMQP_PREFIX: name, JWT_SECRET: randomUUID() },
    ...{ ADMIN_USERNAME: credentials.username, ADMIN_PASSWORD: credentials.password, ...addressEnv([addresses]) },
  };
  const events = {
    onLine: (source: string, line: string) => console.error(source, line),
    onRestart: (source: string, why: string) => console.error(source, why),
    onGiveUp: (error: Error) => console.error(error.message),
  };
  await migrateAll(uri.href, 'warn');
  const names = ['project-service', 'task-service', 'gateway'] as const;
  starting.use(await superviseAll(names.map((each) => superviseService(each, addresses, env, dataDir, events))));
  const running = starting.move();
  const url = `http://127.0.0.1:${addresses.gateway}`;
  return { url, uri: uri.href, credentials, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** A list of projects counts their tasks: the first time all of them, then only those that run. */
async function measureProjects(client: ApiClient): Promise<void> {
  const taken: number[] = [];
  for (let n = 0; n < 100; n++) {
    const from = performance.now();
    await client.call('GET', '/api/projects');
    taken.push(performance.now() - from);
  }
  const [first = Number.NaN, ...rest] = taken;
  const sorted = rest.sort((a, b) => a - b);
  const [p50, p95] = [0.5, 0.95].map((share) => at(sorted, share).toFixed(2));
  console.log(
    `\nGET /api/projects with the counts of all tasks: first ${first.toFixed(0)} ms, then p50 ${p50}, p95 ${p95} ms`,
  );
}

async function run(): Promise<void> {
  await using services = await startServices();
  const visitor = new ApiClient(services.url);
  type Login = { access_token: string; user: { id: string } };
  const { access_token, user } = await visitor.call<Login>('POST', '/api/auth/login', services.credentials);
  const client = visitor.as(access_token);
  await using mongo = new MongoClient(services.uri);
  const tasks = mongo.db(`${databasePrefix(services.uri)}_tasks`).collection<Task>('tasks');
  const projects = new Map<number, string>();
  const started = performance.now();
  for (const size of sizes) {
    const wanted = { name: `${size} tasks`, resource_limits: { max_tasks: 1_000_000 } };
    const { id } = await client.call<{ id: string }>('POST', '/api/projects', wanted);
    projects.set(size, id);
    await fill(tasks, id, user.id, size);
  }
  console.log(`filled in ${((performance.now() - started) / 1_000).toFixed(0)} s`);

  await measureProjects(client);
  for (const [name, query] of Object.entries(queries)) {
    const rows = await measure(client, projects, query, measuredMs / Object.keys(queries).length);
    console.log(`\nGET /api/tasks?project_id=…&${name}`);
    console.table(
      rows.map(({ size, total, requests, p50, p95 }) => ({
        tasks: size,
        total,
        requests,
        'p50 ms': Number(p50.toFixed(2)),
        'p95 ms': Number(p95.toFixed(2)),
      })),
    );
    const ratio = (rows.at(-1)?.p95 ?? Number.NaN) / (rows[0]?.p95 ?? Number.NaN);
    console.log(`p95 of the largest / of the smallest: ${ratio.toFixed(2)}  (target: at most 2)`);
  }
}

await run();

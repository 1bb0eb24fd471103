import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Collection, MongoClient } from 'mongodb';

const documents = 100_000;
const rounds = 3_000;
const inFlight = 50;
const statuses = ['pending', 'running', 'done', 'failed'];

interface Item {
  _id: string;
  project: string;
  status: string;
  priority: number;
  createdAt: Date;
  name: string;
}

const idOf = (n: number) => `item-${String(n).padStart(8, '0')}`;
const item = (n: number): Item => ({
  _id: idOf(n),
  project: `project-${n % 100}`,
  status: statuses[Math.floor(n / 100) % statuses.length] as string,
  priority: n % 10,
  createdAt: new Date(1_700_000_000_000 + n * 1000),
  name: `Item number ${n} with a name of ordinary length, as people give them`,
});

/** Milliseconds of one call after another, sorted. */
async function timed(times: number, call: (n: number) => Promise<unknown>): Promise<number[]> {
  for (let n = 0; n < Math.min(200, times); n++) await call(n);
  const taken: number[] = [];
  for (let n = 0; n < times; n++) {
    const from = performance.now();
    await call(n);
    taken.push(performance.now() - from);
  }
  return taken.sort((a, b) => a - b);
}

const at = (sorted: number[], share: number) => (sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(2);
const row = (name: string, sorted: number[]) => ({
  operation: name,
  'p50 ms': at(sorted, 0.5),
  'p95 ms': at(sorted, 0.95),
  'p99 ms': at(sorted, 0.99),
});

/** Calls a second with 50 in flight. */
async function throughput(call: (n: number) => Promise<unknown>): Promise<number> {
  const total = 20_000;
  let next = 0;
  const from = performance.now();
  const lane = async () => {
    while (next < total) await call(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return Math.round((total / (performance.now() - from)) * 1000);
}

async function fill(items: Collection<Item>): Promise<number> {
  await items.drop().catch(() => undefined);
  await items.createIndexes([
    { key: { project: 1, status: 1, createdAt: -1 } },
    { key: { status: 1, priority: -1 } },
    { key: { name: 1 } },
  ]);
  const from = performance.now();
  for (let n = 0; n < documents; n += 5_000) {
    await items.insertMany(Array.from({ length: 5_000 }, (_, i) => item(n + i)));
  }
  return performance.now() - from;
}

const random = () => Math.floor(Math.random() * documents);

async function measure(label: string, uri: string, leaveNothing = false): Promise<void> {
  const client = new MongoClient(uri, { maxPoolSize: inFlight });
  try {
    const db = client.db('bench_store');
    const items = db.collection<Item>('items');
    const filled = await fill(items);
    let next = documents;
    const page = () =>
      items
        .find({ project: `project-${random() % 100}`, status: 'done' })
        .sort({ createdAt: -1 })
        .limit(50);
    const byId = () => items.findOne({ _id: idOf(random()) });
    const update = (n: number) => items.updateOne({ _id: idOf(random()) }, { $set: { priority: n } });
    const insert = () => items.insertOne(item(next++));
    console.log(`\n${label}: ${documents} documents inserted with 3 indexes in ${(filled / 1000).toFixed(1)} s`);
    console.table([
      row('floor: ping', await timed(rounds, () => db.command({ ping: 1 }))),
      row('find by _id', await timed(rounds, byId)),
      row('indexed filter + sort + limit 50', await timed(rounds, () => page().toArray())),
      row('updateOne by _id', await timed(rounds, update)),
      row('insertOne', await timed(rounds, insert)),
    ]);
    console.table([
      { operation: `ping, ${inFlight} in flight`, 'per second': await throughput(() => db.command({ ping: 1 })) },
      { operation: `find by _id, ${inFlight} in flight`, 'per second': await throughput(byId) },
      { operation: `updateOne by _id, ${inFlight} in flight`, 'per second': await throughput(update) },
      { operation: `insertOne, ${inFlight} in flight`, 'per second': await throughput(insert) },
    ]);
    if (leaveNothing) await db.dropDatabase();
  } finally {
    await client.close();
  }
}

/** Starts the embedded server as a process of its own and waits until it is ready. */
async function launch(dir: string) {
  const main = fileURLToPath(import.meta.resolve('@claude-cli/embedded-mongo/main'));
  const from = performance.now();
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, EMBEDDED_MONGO_PORT: '0', EMBEDDED_MONGO_DIR: dir },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  for await (const line of createInterface({ input: child.stdout })) {
    const uri = /^listening on (\S+)$/.exec(line)?.[1];
    if (!uri) continue;
    const stop = async (signal: 'SIGTERM' | 'SIGKILL') => {
      child.kill(signal);
      await exited;
    };
    return { uri, startedIn: performance.now() - from, stop };
  }
  throw new Error('the embedded server did not start');
}

/** Measures the embedded server, and beside it the server of MONGODB_URI if that is set. */
export async function run(): Promise<void> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'bench-store-'));
  try {
    const server = await launch(dir);
    try {
      await measure('embedded', server.uri);
    } finally {
      await server.stop('SIGKILL');
    }
    const again = await launch(dir);
    const client = new MongoClient(again.uri);
    const count = await client.db('bench_store').collection('items').countDocuments({});
    await client.close();
    await again.stop('SIGTERM');
    console.log(`restart after kill -9 with ${count} documents: ${(again.startedIn / 1000).toFixed(2)} s`);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  if (process.env.MONGODB_URI) await measure('MONGODB_URI', process.env.MONGODB_URI, true);
}

if (import.meta.main) await run();

/**
 * What each service takes of a machine, idle and under a mixed load: requests, executions, a watcher and a webhook. The
 * resource requests in deploy/k8s stand on it.
 * Run: node bench/footprint.ts; as the images run: NODE_OPTIONS=--max-semi-space-size=16 NODE_COMPILE_CACHE=<directory>, twice
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { ApiClient } from '../scripts/api-client.ts';
import { type ServiceName, serviceNames } from '../scripts/platform/services.ts';
import { createProject, createTasks, type Measured, startMeasured, watchTasks } from './executions/platform.ts';

const idleMs = Number(process.env.FOOTPRINT_IDLE_MS ?? 20_000);
const loadMs = Number(process.env.FOOTPRINT_LOAD_MS ?? 30_000);
/** Clients that send one request after another. */
const clients = { read: 6, execute: 2 };

interface Figures {
  residentBytes: number;
  processorSeconds: number;
}

async function figuresOf({ platform }: Measured, service: ServiceName): Promise<Figures> {
  const text = await (await fetch(platform.metricsUrl(service))).text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return {
    residentBytes: value('process_resident_memory_bytes'),
    processorSeconds: value('process_cpu_seconds_total'),
  };
}

/** What each service took while something went on: processor time in millicores, and the most memory that was seen, in MiB. */
async function during(measured: Measured, ms: number): Promise<Record<ServiceName, { cpu: number; memory: number }>> {
  const all = () => Promise.all(serviceNames.map((name) => figuresOf(measured, name)));
  const started = performance.now();
  const before = await all();
  let after = before;
  const most = before.map(({ residentBytes }) => residentBytes);
  while (performance.now() - started < ms) {
    await setTimeout(1_000);
    after = await all();
    for (const [n, { residentBytes }] of after.entries()) most[n] = Math.max(most[n] ?? 0, residentBytes);
  }
  const seconds = (performance.now() - started) / 1000;
  const took = serviceNames.map((name, n) => {
    const spent = (after[n]?.processorSeconds ?? Number.NaN) - (before[n]?.processorSeconds ?? Number.NaN);
    return [name, { cpu: Math.round((spent * 1000) / seconds), memory: Math.round((most[n] ?? 0) / 2 ** 20) }] as const;
  });
  return Object.fromEntries(took) as Record<ServiceName, { cpu: number; memory: number }>;
}

interface Done {
  requests: number;
  executions: number;
}

/** Ask and execute until told to stop. */
async function load(api: ApiClient, projectId: string, stop: AbortSignal): Promise<Done> {
  const done: Done = { requests: 0, executions: 0 };
  const repeat = async (work: () => Promise<void>) => {
    while (!stop.aborted) await work();
  };
  const reading = Array.from({ length: clients.read }, () =>
    repeat(async () => {
      await api.call('GET', `/api/tasks/?project_id=${projectId}&page_size=20`);
      done.requests++;
    }),
  );
  const executing = Array.from({ length: clients.execute }, () =>
    repeat(async () => {
      const [id] = await createTasks(api, projectId, 'echo done', 1);
      await api.call('POST', `/api/tasks/${id}/execute`, { priority: 'normal' });
      done.requests += 2;
      done.executions++;
    }),
  );
  await Promise.all([...reading, ...executing]);
  return done;
}

/** A receiver of webhooks that counts. */
async function startReceiver() {
  let received = 0;
  const server = createServer((request, response) => {
    received++;
    request.resume().once('end', () => response.writeHead(204).end());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received: () => received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

await using receiver = await startReceiver();
await using measured = await startMeasured({
  WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true',
  WEBHOOK_PORTS: String(receiver.port),
  WEBHOOK_RATE: '1000',
});
const { api } = measured;
const idle = await during(measured, idleMs);
const projectId = await createProject(api);
const hook = { url: `http://127.0.0.1:${receiver.port}/`, events: ['*'], project_id: projectId };
await api.call('POST', '/api/webhooks/', hook);
using _watcher = await watchTasks(measured, projectId);
const stop = new AbortController();
const [busy, done] = await Promise.all([
  during(measured, loadMs).finally(() => stop.abort()),
  load(api, projectId, stop.signal),
]);
const perSecond = (count: number) => Math.round((count * 1000) / loadMs);
console.log(
  `\n${perSecond(done.requests)} requests/s, ${perSecond(done.executions)} executions/s, ${perSecond(receiver.received())} webhooks/s`,
);
console.table(
  Object.fromEntries(
    serviceNames.map((name) => [
      name,
      {
        'idle m': idle[name].cpu,
        'idle MiB': idle[name].memory,
        'busy m': busy[name].cpu,
        'busy MiB': busy[name].memory,
      },
    ]),
  ),
);

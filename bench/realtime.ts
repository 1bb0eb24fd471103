/**
 * Live messages of realtime, behind the gateway and through its proxy, against bare ws and bare socket.io that send the
 * same messages: 1,000 subscribers on one channel, and 1,000 channels with one each. Alternating rounds, medians.
 * Realtime does more than its peers: each message comes over the broker, is numbered and kept. Run: node bench/realtime.ts
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { startTestInfrastructure } from '../scripts/test-infrastructure.ts';
import { processorTime } from './measures/processor-time.ts';
import { serveSocketIo, serveWs } from './realtime/bare-servers.ts';
import { type ClientsReport, holdClients } from './realtime/clients.ts';
import { type Peer, startBare, startRealtime } from './realtime/peers.ts';

const rounds = Number(process.env.ROUNDS ?? 3);
const clients = Number(process.env.CLIENTS ?? 1_000);
/** Messages of one measurement, to all and to one client each; and how many deliveries may be on their way. */
const load = { toAll: 300, toOne: 10_000, onTheWay: 30_000 };
/** Messages per second, and for how long, where it is measured how long one takes. */
const calm = { toAll: 20, toOne: 100, seconds: 5 };

interface Measured {
  'deliveries/s': number;
  'CPU µs/delivery': number;
  'p50 ms': number;
  'p99 ms': number;
}

/** The process of the clients, as it is seen from here. */
class Clients {
  delivered = 0;
  latencies: number[] = [];
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: ClientsReport) => {
      if ('opened' in report) return;
      this.delivered += report.frames;
      this.latencies.push(...report.latencies);
    });
  }

  async open({ entrances }: Peer, count = clients): Promise<void> {
    const opened = new Promise<void>((resolve) => {
      const listen = (report: ClientsReport) => {
        if (!('opened' in report)) return;
        this.#child.off('message', listen);
        resolve();
      };
      this.#child.on('message', listen);
    });
    this.#child.send({ open: entrances.slice(0, count) });
    await opened;
    this.reset();
  }

  reset(): void {
    this.delivered = 0;
    this.latencies = [];
  }

  async until(deliveries: number): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (this.delivered < deliveries) {
      if (Date.now() > deadline) throw new Error(`only ${this.delivered} of ${deliveries} messages arrived`);
      await pause(1);
    }
  }
}

let task = 0;
const update = () => ({
  task_id: `01890000-0000-7000-8000-${String(task++ % 1_000_000).padStart(12, '0')}`,
  status: 'running',
  progress_percentage: 45,
  updated_at: String(performance.timeOrigin + performance.now()),
});

async function measure(peer: Peer, held: Clients, shape: 'toAll' | 'toOne'): Promise<Measured> {
  const perMessage = shape === 'toAll' ? clients : 1;
  const to = (number: number) => (shape === 'toAll' ? 'all' : number % clients);
  const chunk = shape === 'toAll' ? 1 : 50;
  await held.open(peer);
  held.reset();
  const before = processorTime(peer.pid);
  const from = performance.now();
  for (let sent = 0; sent < load[shape]; sent += chunk) {
    await held.until(sent * perMessage - load.onTheWay);
    for (let number = sent; number < sent + chunk; number++) peer.send([update()], to(number));
  }
  await held.until(load[shape] * perMessage);
  const seconds = (performance.now() - from) / 1_000;
  const spent = processorTime(peer.pid) - before;

  held.reset();
  const count = calm[shape] * calm.seconds;
  for (let number = 0; number < count; number++) {
    peer.send([update()], to(number));
    await pause(1_000 / calm[shape]);
  }
  await held.until(count * perMessage);
  const sorted = held.latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
  return {
    'deliveries/s': (load[shape] * perMessage) / seconds,
    'CPU µs/delivery': spent / (load[shape] * perMessage),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
  };
}

/** Memory that a process holds, in bytes. */
function memoryOf(pid: number | undefined): number {
  return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4096;
}

async function compare(): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const children: ChildProcess[] = [];
  stack.defer(() => {
    for (const child of children) child.kill();
  });
  const infrastructure = stack.use(await startTestInfrastructure({ preferPrivateBroker: false }));
  console.log(infrastructure.description);
  const clientsProcess = fork(new URL(import.meta.url), ['clients']);
  children.push(clientsProcess);
  const held = new Clients(clientsProcess);
  const [behind, through] = await startRealtime(clients, infrastructure.env, children, stack);
  const peers = [
    await startBare('ws', clients, children),
    behind,
    through,
    await startBare('socket.io', clients, children),
  ];

  const memory: Record<string, number> = {};
  for (const peer of peers.filter((each) => each !== through)) {
    // The first ones grow what is there once for all.
    const few = clients / 5;
    await held.open(peer, few);
    const before = memoryOf(peer.pid);
    await held.open(peer);
    memory[peer.name] = (memoryOf(peer.pid) - before) / (clients - few) / 1024;
  }
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < rounds + 1; round++) {
    for (const shape of ['toAll', 'toOne'] as const) {
      for (const peer of peers) {
        const measured = await measure(peer, held, shape);
        // The first round is for the compilers of V8.
        if (round > 0)
          results.set(`${peer.name} ${shape}`, [...(results.get(`${peer.name} ${shape}`) ?? []), measured]);
      }
    }
  }
  for (const shape of ['toAll', 'toOne'] as const) {
    console.log(
      shape === 'toAll' ? `${clients} subscribers on one channel` : `${clients} channels with one subscriber`,
    );
    const rows = peers.map(({ name }) => ({ name, ...mediansOf(results.get(`${name} ${shape}`) ?? []) }));
    console.table(rows);
    const [bare] = rows;
    for (const { name, ...row } of rows.slice(1)) {
      const ratio = (row['deliveries/s'] / (bare?.['deliveries/s'] ?? Number.NaN)).toFixed(2);
      const processor = ((bare?.['CPU µs/delivery'] ?? Number.NaN) / row['CPU µs/delivery']).toFixed(2);
      console.log(`${name} / bare ws: ${ratio} deliveries, ${processor} by processor time`);
    }
  }
  console.log(
    'memory per connection, KiB:',
    Object.fromEntries(Object.entries(memory).map(([name, kib]) => [name, Math.round(kib)])),
  );
  held.reset();
}

function mediansOf(all: readonly Measured[]): Measured {
  const names = ['deliveries/s', 'CPU µs/delivery', 'p50 ms', 'p99 ms'] as const;
  const median = (name: keyof Measured) =>
    all.map((each) => each[name]).toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN;
  return Object.fromEntries(names.map((name) => [name, Math.round(median(name) * 100) / 100])) as unknown as Measured;
}

const roles: Record<string, () => void> = { ws: serveWs, 'socket.io': serveSocketIo, clients: holdClients };
const [role] = process.argv.slice(2);
if (role) roles[role]?.();
else await compare();

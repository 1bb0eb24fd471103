/**
 * Webhooks, from an event at the broker to a delivery whose success is stored: how many per second against a bare loop that
 * signs and posts the same bodies, how soon one arrives, and what a long backlog costs.
 * Run: node bench/webhooks.ts [latency] [throughput] [backlog]; all three when none is named.
 */
import { loadavg } from 'node:os';
import { measureBacklog } from './webhooks/backlog.ts';
import { measureLatency } from './webhooks/latency.ts';
import { at, type Measured, startDispatcher, startMeasured } from './webhooks/setup.ts';
import { measureThroughput } from './webhooks/throughput.ts';

const latencyEvents = Number(process.env.LATENCY_EVENTS ?? 300);
const deliveries = Number(process.env.DELIVERIES ?? 20_000);
const rounds = Number(process.env.ROUNDS ?? 3);
const backlog = Number(process.env.BACKLOG ?? 100_000);

const parts: Record<string, (measured: Measured) => Promise<void>> = {
  async latency(measured) {
    await using _dispatcher = await startDispatcher(measured);
    const rows: Record<string, object> = {};
    for (const endpoints of [1, 50]) {
      const events = endpoints === 1 ? latencyEvents : Math.ceil(latencyEvents / 5);
      rows[name(endpoints)] = rounded(await measureLatency(measured, endpoints, events));
    }
    console.log('\nFrom an event to its receipt, one event at a time, in ms (target with 1 endpoint: p50 at most 15):');
    console.table(rows);
  },
  async throughput(measured) {
    await using dispatcher = await startDispatcher(measured);
    const rows: Record<string, object> = {};
    for (const endpoints of [1, 50]) {
      const figures = await measureThroughput(measured, dispatcher, endpoints, deliveries, rounds);
      const median = (of: (figure: (typeof figures)[number]) => number) => at(figures.map(of), 0.5);
      rows[name(endpoints)] = {
        ...rounded({
          'deliveries/s': median(({ delivered }) => delivered.perSecond),
          'bare posts/s': median(({ bare }) => bare.perSecond),
        }),
        'of bare': Number(median(({ delivered, bare }) => delivered.perSecond / bare.perSecond).toFixed(2)),
        target: 'at least 0.4',
        ...rounded({
          'CPU µs/delivery': median(({ delivered }) => delivered.processor),
          'CPU µs/bare post': median(({ bare }) => bare.processor),
        }),
      };
    }
    console.log(`\n${deliveries} deliveries, from the first event at the broker to the last stored result:`);
    console.table(rows);
  },
  async backlog(measured) {
    const { claims, drain } = await measureBacklog(measured, backlog);
    console.log('\nA claim, up to the deliveries that are sent first, in ms:');
    console.table(Object.fromEntries(claims.map(({ waiting, ...cost }) => [`${waiting} waiting`, rounded(cost)])));
    const [short, long] = claims.map(({ p50 }) => p50);
    console.log(
      `claim with the long backlog / with the short one: ${((long ?? NaN) / (short ?? NaN)).toFixed(2)}  (target: about 1)`,
    );
    const { perSecond, bare, memory } = drain;
    console.log(`\nThe backlog of ${backlog} worked off:`);
    console.table([
      {
        ...rounded({ 'deliveries/s': perSecond, 'bare posts/s': bare }),
        'of bare': Number((perSecond / bare).toFixed(2)),
        target: 'at least 0.4',
      },
    ]);
    const [idle, ...busy] = memory.map((megabytes) => megabytes.toFixed(0));
    console.log(
      `memory in use by the dispatcher: idle ${idle} MiB; with 1/4, 1/2 and 3/4 of it done ${busy.join(', ')} MiB`,
    );
  },
};

function name(endpoints: number): string {
  return endpoints === 1 ? '1 endpoint' : `${endpoints} endpoints`;
}

function rounded(figures: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, Number(value.toFixed(1))]));
}

function load(): string {
  return loadavg()
    .map((each) => each.toFixed(1))
    .join(', ');
}

async function run(names: string[]): Promise<void> {
  const unknown = names.filter((each) => !parts[each]);
  if (unknown.length > 0)
    throw new Error(`there is no part ${unknown.join(', ')}, only ${Object.keys(parts).join(', ')}`);
  await using measured = await startMeasured();
  console.log(`${measured.description}; load of the machine ${load()}`);
  for (const each of names.length > 0 ? names : Object.keys(parts)) await parts[each]?.(measured);
  console.log(`load of the machine at the end ${load()}`);
}

await run(process.argv.slice(2));

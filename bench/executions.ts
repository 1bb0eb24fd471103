/**
 * Executions through the whole platform: how soon one starts and is seen, how many of `true` are done in a second by one and
 * two runners, and one of many slots, against the floor of starting as many processes at once, and what 10,000 queued ones cost.
 * Run: node bench/executions.ts [latency] [throughput] [queue]; all three when none is named.
 */
import { availableParallelism, loadavg } from 'node:os';
import { measureLatency } from './executions/latency.ts';
import { type Measured, startMeasured } from './executions/platform.ts';
import { type ClaimCost, drain, measureClaims, measureQueueing } from './executions/queue-length.ts';
import { measureSpawnFloor, measureThroughput } from './executions/throughput.ts';

/** Slots of a runner: few, and as many as suit short runs. */
const slots = { few: 8, many: 64 };
const latencyRuns = Number(process.env.LATENCY_EXECUTIONS ?? 200);
const throughputRuns = Number(process.env.THROUGHPUT_EXECUTIONS ?? 1_000);
/** Executions before those that count: the compilers of V8 need some hundreds. */
const warmUpRuns = Math.ceil(throughputRuns / 3);
const queueRuns = Number(process.env.QUEUE_EXECUTIONS ?? 10_000);
const shortQueue = 100;
const floorMs = 3_000;
const cores = availableParallelism();

const parts: Record<string, () => Promise<void>> = {
  async latency() {
    await using measured = await start(slots.few);
    const { executions, toStart, toOutput } = await measureLatency(measured, latencyRuns);
    console.log(`\nFrom POST execute, ${executions} executions one at a time, in ms:`);
    console.table({
      'its process runs': { ...rounded(toStart), target: 'p50 at most 15' },
      'its output is seen': { ...rounded(toOutput), target: 'p50 at most 30' },
    });
  },
  async throughput() {
    const measures: Throughputs = { rows: {}, costs: {} };
    for (const { each, runners } of [
      { each: slots.few, runners: [1, 2] },
      { each: slots.many, runners: [1] },
    ]) {
      await using measured = await start(each);
      for (const count of runners) {
        if (count === 2) measured.replica = await measured.platform.replicate('command-runner');
        await addThroughput(measures, measured, { runners: count, each });
      }
    }
    console.log(`\n${throughputRuns} executions of true, queued before:`);
    console.table(measures.rows);
    console.log('\nProcessor time per execution, in ms:');
    console.table(measures.costs);
  },
  async queue() {
    await using measured = await start(slots.few);
    const claims: Record<string, ClaimCost> = {};
    await measureQueueing(measured, shortQueue);
    claims[`${shortQueue} queued`] = await measureClaims(measured, shortQueue);
    await drain(measured);
    const { acceptedPerSecond, memory } = await measureQueueing(measured, queueRuns);
    claims[`${queueRuns} queued`] = await measureClaims(measured, queueRuns);
    console.log(
      `\n${queueRuns} executions queued, ${acceptedPerSecond.toFixed(0)} accepted/s. Resident memory in MiB:`,
    );
    console.table(memory);
    console.log('\nClaims, in ms:');
    console.table(Object.fromEntries(Object.entries(claims).map(([name, cost]) => [name, rounded({ ...cost })])));
    const [short, long] = Object.values(claims).map(({ p50 }) => p50);
    const ratio = (long ?? Number.NaN) / (short ?? Number.NaN);
    console.log(`claim with the long queue / with the short one: ${ratio.toFixed(2)}  (target: about 1)`);
  },
};

/** Figures by the number of runners and slots. */
interface Throughputs {
  rows: Record<string, object>;
  costs: Record<string, object>;
}

async function addThroughput(
  { rows, costs }: Throughputs,
  measured: Measured,
  { runners, each }: { runners: number; each: number },
): Promise<void> {
  await measureThroughput(measured, warmUpRuns);
  const floorBefore = await measureSpawnFloor(each * runners, floorMs);
  const { acceptedPerSecond, endedPerSecond, processor } = await measureThroughput(measured, throughputRuns);
  // Whatever else the machine does meets the floor before and after.
  const floor = (floorBefore + (await measureSpawnFloor(each * runners, floorMs))) / 2;
  const name = `${runners} × ${each} slots`;
  // All cores are at work for the floor.
  costs[name] = rounded({ ...processor, 'floor: a process': (cores * 1000) / floor });
  rows[name] = {
    ...rounded({ 'accepted/s': acceptedPerSecond, 'executions/s': endedPerSecond, 'floor: spawns/s': floor }),
    'of the floor': Number((endedPerSecond / floor).toFixed(2)),
    target: 'at least 0.5',
  };
}

async function start(each: number): Promise<Measured> {
  const measured = await startMeasured({ RUNNER_CONCURRENCY: String(each) });
  console.log(`${measured.platform.store}; ${measured.platform.broker}; load of the machine ${load()}`);
  return measured;
}

function rounded(figures: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toFixed(1))]));
}

function load(): string {
  return loadavg()
    .map((each) => each.toFixed(1))
    .join(', ');
}

async function run(names: string[]): Promise<void> {
  const unknown = names.filter((name) => !parts[name]);
  if (unknown.length > 0)
    throw new Error(`there is no part ${unknown.join(', ')}, only ${Object.keys(parts).join(', ')}`);
  for (const name of names.length > 0 ? names : Object.keys(parts)) await parts[name]?.();
  console.log(`load of the machine at the end ${load()}`);
}

await run(process.argv.slice(2));

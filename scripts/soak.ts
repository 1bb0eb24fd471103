// Usage: npm run soak [-- --minutes 30 --executions 3 --reads 15 --seed 1]
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../e2e/support/faults.ts';
import { Load, latencyOf } from '../e2e/support/load.ts';
import { startPlatformOn, type TestPlatform } from '../e2e/support/platform.ts';
import { createProject } from '../e2e/support/tasks.ts';
import { testEnvironment } from '../packages/shared/src/testing/environment.ts';
import { onInterrupt } from './interrupt.ts';
import { poll } from './platform/poll.ts';
import { serviceNames } from './platform/services.ts';
import { reportFailure, SetupError } from './platform/setup-error.ts';
import { startTestInfrastructure } from './test-infrastructure.ts';
import { generate } from './tools.ts';
import { isFlat } from './trend.ts';

const help = `Keeps a platform busy for as long as you say, and looks whether it stays as it is.

  npm run soak                                                        as below
  npm run soak -- --minutes 30 --executions 3 --reads 15 --seed 1     per second: executions, and reads

Tasks are created, executed and scheduled, lists and states are read, three clients watch, a webhook is told. Every minute tells
the memory of each service, the least of the minute, its work, and how long calls took. It ends well if none of these grew and
nothing was lost.
`;

const defaults = { minutes: 30, executions: 3, reads: 15, seed: 1 };
const sampleMs = 5_000;
const scheduled = { tasks: 3, everySeconds: 10 };
/** How much may grow from a third of the time to its end: memory in MiB, latency in milliseconds, work in thousandths of a core. */
const bounds = {
  memory: { share: 0.15, atLeast: 24 },
  processor: { share: 0.3, atLeast: 30 },
  latency: { share: 1, atLeast: 100 },
};
/** As the images run services: what V8 takes for its nursery it keeps, and it sizes that by the machine. */
const nodeOptions = '--max-semi-space-size=16';
const settleMs = 60_000;

/** What one minute was like. */
interface Minute {
  /** By service: least resident memory in MiB, processor time in thousandths of a core. */
  memory: Record<string, number>;
  processor: Record<string, number>;
  p50: number;
  p95: number;
  executions: number;
}

function numbersOf(args: string[]): typeof defaults | undefined {
  const text = { type: 'string' } as const;
  const options = { minutes: text, executions: text, reads: text, seed: text, help: { type: 'boolean', short: 'h' } };
  let given: Record<string, string | boolean | undefined>;
  try {
    given = parseArgs({ args, options: options as never }).values;
  } catch (cause) {
    throw new SetupError(`${(cause as Error).message}: see npm run soak -- --help.`);
  }
  if (given.help) return undefined;
  const entries = Object.entries(defaults).map(([name, fallback]) => {
    const value = given[name] === undefined ? fallback : Number(given[name]);
    if (!(value > 0 && value <= 100_000)) throw new SetupError(`--${name} has to be a number from 1 to 100000.`);
    return [name, value];
  });
  return Object.fromEntries(entries) as typeof defaults;
}

/** Memory in MiB and processor time so far in seconds of a service, as it tells them. */
async function sample(url: string): Promise<{ memory: number; seconds: number }> {
  const text = await (await fetch(url, { signal: AbortSignal.timeout(sampleMs) })).text();
  const value = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  return { memory: value('process_resident_memory_bytes') / 2 ** 20, seconds: value('process_cpu_seconds_total') };
}

async function minuteOf({ platform }: TestPlatform, load: Load, until: number, signal: AbortSignal): Promise<Minute> {
  const samples = new Map(serviceNames.map((name) => [name, [] as { at: number; memory: number; seconds: number }[]]));
  const before = load.executions;
  load.durations = [];
  while (performance.now() < until && !signal.aborted) {
    await delay(Math.min(sampleMs, Math.max(0, until - performance.now())), undefined, { signal }).catch(() => {});
    for (const [name, all] of samples) {
      const at = performance.now();
      // A scrape that fails is not what is measured here: a service that is gone fails calls.
      await sample(platform.metricsUrl(name)).then(
        (one) => all.push({ at, ...one }),
        () => {},
      );
    }
  }
  const byService = (read: (all: { at: number; memory: number; seconds: number }[]) => number) =>
    Object.fromEntries([...samples].map(([name, all]) => [name, Math.round(read(all))]));
  const { p50, p95 } = latencyOf(load.durations);
  return {
    memory: byService((all) => Math.min(...all.map(({ memory }) => memory))),
    processor: byService(([first, ...rest]) => {
      const last = rest.at(-1);
      return first && last ? ((last.seconds - first.seconds) / (last.at - first.at)) * 1_000_000 : 0;
    }),
    ...{ p50, p95, executions: load.executions - before },
  };
}

/** Tasks that run by themselves. @returns what ends them, and says what was wrong */
async function schedule({ admin }: TestPlatform): Promise<() => Promise<string[]>> {
  const project_id = await createProject(admin);
  const started = Date.now();
  const ids: string[] = [];
  const cron = `*/${scheduled.everySeconds} * * * * *`;
  for (let n = 0; n < scheduled.tasks; n++) {
    const task = { title: 'Soak', project_id, command: 'true', schedule: { cron } };
    ids.push((await admin.call<{ id: string }>('POST', '/api/tasks/', task)).id);
  }
  return async () => {
    const wrong: string[] = [];
    for (const id of ids) {
      await admin.call('PUT', `/api/tasks/${id}`, { schedule: null });
      const due = Math.floor((Date.now() - started) / (scheduled.everySeconds * 1000));
      const settled = async () =>
        (await admin.call<{ status: string }>('GET', `/api/tasks/${id}`)).status === 'completed' || undefined;
      await poll(settled, { timeoutMs: settleMs, intervalMs: 250 });
      // Of long times, the history tells the latest thousand changes, two or three of each run.
      type Entry = { details: { new_value?: unknown } };
      const { history } = await admin.call<{ history: Entry[] }>('GET', `/api/tasks/${id}/history`);
      const runs = history.filter(({ details }) => details.new_value === 'completed').length;
      const other = history.filter(({ details }) => ['failed', 'cancelled'].includes(String(details.new_value))).length;
      if (runs < Math.min(due - 2, 250) || other > 0) {
        wrong.push(`a scheduled task ran ${runs} times, where ${due} were due, and failed ${other} times`);
      }
    }
    return wrong;
  };
}

function tell(number: number, { memory, processor, p50, p95, executions }: Minute): void {
  const services = serviceNames.map((name) => `${name} ${memory[name]} MiB ${processor[name]} m`).join(' · ');
  console.log(
    `${String(number).padStart(3)} min: ${executions} executions, calls p50 ${p50} p95 ${p95} ms · ${services}`,
  );
}

/** What did not stay as it was. */
function grown(minutes: readonly Minute[]): string[] {
  const growing = (what: 'memory' | 'processor') =>
    serviceNames.filter((name) => {
      const series = minutes.map((minute) => minute[what][name] ?? 0);
      return !isFlat(series, bounds[what]);
    });
  const latency = isFlat(
    minutes.map(({ p50 }) => p50),
    bounds.latency,
  );
  return [
    ...growing('memory').map((name) => `the memory of ${name} grows`),
    ...growing('processor').map((name) => `${name} works more and more for the same`),
    ...(latency ? [] : ['calls take longer and longer']),
  ];
}

async function main(args: string[]): Promise<number> {
  const numbers = numbersOf(args);
  if (!numbers) {
    console.log(help);
    return 0;
  }
  const { minutes, executions, reads, seed } = numbers;
  const signal = onInterrupt();
  if ((await generate(signal)) !== 0) throw new SetupError('Generating code from the contract failed: mend it first.');
  await using infrastructure = await startTestInfrastructure({ preferPrivateBroker: true, signal });
  await using own = testEnvironment(infrastructure.env);
  const { MONGODB_URI = '', AMQP_URL = '', AMQP_PREFIX = '' } = own.env;
  await using platform = await startPlatformOn({
    ...{ MONGODB_URI, AMQP_URL, AMQP_PREFIX },
    ...{ WEBHOOK_ALLOW_PRIVATE_NETWORKS: 'true', WEBHOOK_RATE: '1000', LOG_LEVEL: 'error', RUNNER_CONCURRENCY: '4' },
    NODE_OPTIONS: nodeOptions,
  });
  console.log(`${infrastructure.description}; ${executions} executions and ${reads} reads per second`);
  const endSchedules = await schedule(platform);
  await using load = await Load.start(platform, {
    ...{ executions, reads, watchers: 3, longestRun: 0.5, random: seededRandom(seed) },
  });
  const seen: Minute[] = [];
  const started = performance.now();
  for (let number = 1; number <= minutes && !signal.aborted; number++) {
    const minute = await minuteOf(platform, load, started + number * 60_000, signal);
    seen.push(minute);
    tell(number, minute);
  }
  const { wrong, ...report } = await load.finish(settleMs);
  const problems = [...wrong, ...(await endSchedules()), ...grown(seen)];
  const { latency: _latest, ...counted } = report;
  console.log(JSON.stringify(counted, undefined, 1));
  for (const problem of problems.slice(0, 50)) console.log(`WRONG: ${problem}`);
  if (problems.length > 50) console.log(`and ${problems.length - 50} more`);
  if (problems.length === 0) console.log('Memory, work and latency stayed as they were, and nothing was lost.');
  return problems.length === 0 && !signal.aborted ? 0 : 1;
}

process.exit(
  await main(process.argv.slice(2)).catch((cause) =>
    process.exitCode ? Number(process.exitCode) : reportFailure(cause),
  ),
);

// Usage: npm run faults [-- --executions 400 --seconds 180 --seed 1]
import { parseArgs } from 'node:util';
import { seededRandom } from '../e2e/support/faults.ts';
import { setStage } from '../e2e/support/stage.ts';
import { type StormReport, storm } from '../e2e/support/storm.ts';
import { createProject } from '../e2e/support/tasks.ts';
import { onInterrupt } from './interrupt.ts';
import { reportFailure, SetupError } from './platform/setup-error.ts';
import { generate } from './tools.ts';

const help = `Breaks a platform while it works, and counts that nothing was lost and nothing was done twice.

  npm run faults                                              as below
  npm run faults -- --executions 400 --seconds 180 --seed 1   executions asked for, seconds of faults, order of chance

Services, runners, store and broker are killed, connections broken, queues wiped, messages repeated. Store and broker are
those that MONGODB_URI and AMQP_URL name, which are not killed, else ones of its own.
`;

const defaults = { executions: 400, seconds: 180 };
const pauseMs = 2_500;
// A message that was lost is sent again after one minute, and after two more should that one be lost as well.
const calmMs = 240_000;

function readArguments(args: string[]) {
  const text = { type: 'string' } as const;
  const options = { executions: text, seconds: text, seed: text, help: { type: 'boolean', short: 'h' } } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (cause) {
    throw new SetupError(`${(cause as Error).message}: see npm run faults -- --help.`);
  }
}

function numberOf(name: string, given: string | undefined, fallback: number, most: number): number {
  const value = given === undefined ? fallback : Number(given);
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new SetupError(`--${name} has to be a whole number from 1 to ${most}.`);
  }
  return value;
}

async function main(args: string[]): Promise<number> {
  const given = readArguments(args);
  if (given.help) {
    console.log(help);
    return 0;
  }
  const executions = numberOf('executions', given.executions, defaults.executions, 100_000);
  const seconds = numberOf('seconds', given.seconds, defaults.seconds, 86_400);
  const seed = numberOf('seed', given.seed, Math.floor(Math.random() * 1_000_000) + 1, 1_000_000);
  const signal = onInterrupt();
  if ((await generate(signal)) !== 0) throw new SetupError('Generating code from the contract failed: mend it first.');
  console.log(`${executions} executions, ${seconds} s of faults, seed ${seed}`);

  await using stage = await setStage({
    keepInfrastructure: true,
    settings: { EXECUTION_LEASE_MS: '8000', RUNNER_CONCURRENCY: '4', LOG_LEVEL: 'error' },
  });
  signal.throwIfAborted();
  signal.addEventListener('abort', () => void stage.platform.stop(), { once: true });
  const report = await Promise.race([
    storm(stage, await createProject(stage.admin), {
      ...{ executions, seconds, pauseMs, calmMs, random: seededRandom(seed), say: console.log },
    }),
    stage.platform.failed.then((failure) => Promise.reject(failure)),
  ]);
  print(report);
  return report.wrong.length === 0 ? 0 : 1;
}

function print({ faults, wrong, calmAfter, ...counted }: StormReport): void {
  console.table(faults);
  console.table({ ...counted, 'seconds until calm': Number(calmAfter.toFixed(1)) });
  const shown = wrong.slice(0, 50);
  for (const what of shown) console.log(`WRONG: ${what}`);
  if (wrong.length > shown.length) console.log(`and ${wrong.length - shown.length} more`);
  if (wrong.length === 0) {
    console.log(
      'Every accepted execution reached exactly one final state, and ran no more often than its attempts say.',
    );
  }
}

process.exit(
  await main(process.argv.slice(2)).catch((cause) =>
    process.exitCode ? Number(process.exitCode) : reportFailure(cause),
  ),
);

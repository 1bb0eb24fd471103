// Usage: npm test [-- <workspace>]
import { styleText } from 'node:util';
import { onInterrupt } from './interrupt.ts';
import { reportFailure, SetupError } from './platform/setup-error.ts';
import { startTestInfrastructure } from './test-infrastructure.ts';
import { generate, runTool } from './tools.ts';

const help = `Checks and tests everything: format and lint, types, then the tests of every workspace.

  npm test                    all workspaces
  npm test -- task-service    all types, and the tests of one

Tests use the store in MONGODB_URI and the broker in AMQP_URL; those that are unset are started for the run.
`;

interface Phase {
  name: string;
  seconds: number;
  passed: boolean;
}

async function main(args: string[]): Promise<number> {
  const [workspace, ...rest] = args;
  if (workspace === '--help' || workspace === '-h') {
    console.log(help);
    return 0;
  }
  if (rest.length > 0 || workspace?.startsWith('-')) {
    throw new SetupError(`Unknown argument ${rest[0] ?? workspace}: see npm test -- --help.`);
  }
  const signal = onInterrupt();
  const phases = await runPhases(workspace, signal);
  console.log('');
  for (const { name, seconds, passed } of phases) {
    console.log(
      `${passed ? styleText('green', '✓') : styleText('red', '✗')} ${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s`,
    );
  }
  if (signal.aborted) return Number(process.exitCode);
  return phases.every(({ passed }) => passed) ? 0 : 1;
}

async function runPhases(workspace: string | undefined, signal: AbortSignal): Promise<Phase[]> {
  const phases: Phase[] = [];
  const phase = async (name: string, run: () => Promise<number>) => {
    if (signal.aborted) return false;
    console.log(`\n${styleText('bold', name)}`);
    const started = performance.now();
    // A tool that was asked to end may call that a success.
    const passed = (await run()) === 0 && !signal.aborted;
    phases.push({ name, seconds: (performance.now() - started) / 1000, passed });
    return passed;
  };
  const only = workspace ? [`--filter=${workspace.startsWith('@') ? workspace : `@claude-cli/${workspace}`}`] : [];
  // Without generated code nothing else can pass.
  if (!(await phase('generate', () => generate(signal)))) return phases;
  if (!workspace) await phase('format and lint', () => runTool('biome', ['check', '.'], { signal }));
  // The SDK is written for browsers, too.
  await phase('types', () => runTool('tsc', ['-p', '.'], { signal }));
  await phase('types of the SDK', () => runTool('tsc', ['-p', 'packages/sdk'], { signal }));
  await using stack = new AsyncDisposableStack();
  let env: NodeJS.ProcessEnv = {};
  const started = await phase('infrastructure', async () => {
    const infrastructure = stack.use(await startTestInfrastructure({ preferPrivateBroker: true, signal }));
    console.log(infrastructure.description);
    env = infrastructure.env;
    return 0;
  });
  if (started && !workspace) {
    const jest = ['--config', 'jest.config.mjs', '--rootDir', 'scripts'];
    const options = { NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' };
    await phase('tests of scripts', () => runTool('jest', jest, { signal, env: { ...env, ...options } }));
  }
  // One workspace at a time: jest already uses both cores, and timings in tests stay honest.
  const tests = ['run', 'test', '--output-logs=new-only', '--concurrency=1', '--continue', ...only];
  if (started) await phase('tests', () => runTool('turbo', tests, { signal, env }));
  return phases;
}

process.exit(
  await main(process.argv.slice(2)).catch((cause) =>
    process.exitCode ? Number(process.exitCode) : reportFailure(cause),
  ),
);

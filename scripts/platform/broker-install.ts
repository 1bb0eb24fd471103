import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { findProgram } from './programs.ts';
import { hasCode, SetupError } from './setup-error.ts';

const advice =
  'RabbitMQ is needed and none was found: install it (Debian: apt-get install rabbitmq-server, macOS: brew install rabbitmq), or set AMQP_URL to one that runs elsewhere.';

/**
 * Install rabbitmq-server with apt-get where that is possible without asking: as root on a Debian-like system. The machine's
 * own service is not wanted, hence the runlevel in which packages start none.
 * @throws SetupError that says what to do instead
 */
export async function installRabbitMq(say: (line: string) => void, find: () => string | undefined): Promise<string> {
  if (process.getuid?.() !== 0 || !findProgram('apt-get')) throw new SetupError(advice);
  say('RabbitMQ is not installed; installing it with apt-get');
  await aptGet(['update'], say);
  await aptGet(['install', '--yes', '--no-install-recommends', 'rabbitmq-server'], say);
  const server = find();
  if (!server) throw new SetupError(advice);
  return server;
}

async function aptGet(args: string[], say: (line: string) => void): Promise<void> {
  const child = spawn('apt-get', ['--quiet', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let last = '';
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (/^(Get:|Setting up|Unpacking|E:)/.test(line)) say(`  ${line}`);
      if (line.startsWith('E:')) last = line;
    });
  }
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  const code = await promise.catch((cause) => {
    if (hasCode(cause, 'ENOENT')) return 127;
    throw cause;
  });
  if (code !== 0) throw new SetupError(`apt-get ${args[0]} failed (${last || `exit code ${code}`}). ${advice}`);
}

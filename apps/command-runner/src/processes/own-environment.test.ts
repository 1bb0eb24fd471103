import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writtenBy } from '../testing/command-line.ts';
import { as, Harness } from '../testing/harness.ts';

let harness: Harness;
let runner: ChildProcess;
let log = '';

beforeAll(async () => {
  harness = await Harness.start();
  const main = fileURLToPath(new URL('../main.ts', import.meta.url));
  const env = { ...harness.env, LOG_LEVEL: 'info', ANTHROPIC_API_KEY: 'sk-not-for-commands', PATH: process.env.PATH };
  runner = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  runner.stdout?.on('data', (chunk) => (log += chunk));
});

afterAll(async () => {
  runner.kill('SIGKILL');
  await harness[Symbol.asyncDispose]();
});

test('a runner of its own process works by its environment, and nobody can read it in /proc', async () => {
  const port = await until('it is ready', () => Number(/"grpc_port":(\d+)/.exec(log)?.[1]) || undefined, 30_000);
  const seen = readFileSync(`/proc/${runner.pid}/environ`, 'utf8');
  expect(seen).toContain('PATH=');
  const secrets = /MONGODB|AMQP|JWT_SECRET|SERVICE_SECRET|ADMIN_PASSWORD|ANTHROPIC|mongodb:|amqp:/;
  expect(seen).not.toMatch(secrets);
  expect(readFileSync(`/proc/${runner.pid}/cmdline`, 'utf8')).not.toMatch(secrets);
  // It came by standard input, which holds nothing any more.
  expect(readFileSync(`/proc/${runner.pid}/fd/0`, 'utf8')).toBe('');
  // SIGUSR1 must not open a debugger to whoever may send it.
  expect(readFileSync(`/proc/${runner.pid}/cmdline`, 'utf8')).toContain('--disable-sigusr1');

  const channel = testChannel(port);
  const commands = channel.client(CommandServiceService);
  // The parent of a command is the spawner, which has no environment at all.
  const both = (file: string) => `/proc/$PPID/${file} /proc/${runner.pid}/${file}`;
  const read = (files: string) => `cat ${files} | tr '\\0' '\\n'`;
  const command = `${read('/proc/$PPID/environ')}; echo first; ${read(`${both('environ')} ${both('fd/0')}`)}; echo end`;
  const { command_id } = await commands.executeCommand({ command, environment: {}, force: true }, as('root', 'admin'));
  const ended = await until('it has ended', async () => {
    const now = await commands.getCommandStatus({ command_id }, as('root', 'admin'));
    return now.status !== 'running' && now;
  });
  channel.close();
  expect(writtenBy(ended).split('first\n')[0]).not.toContain('PATH=');
  expect(writtenBy(ended).split('first\n')[1]).toContain('PATH=');
  expect(writtenBy(ended)).toMatch(/end\n$/);
  expect(writtenBy(ended)).not.toMatch(secrets);
});

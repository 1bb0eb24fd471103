import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { as, Harness, type TestRunner } from '../testing/harness.ts';
import { isAlive } from '../testing/is-alive.ts';

let harness: Harness;
let runner: TestRunner;
const ann = as('ann');

beforeAll(async () => {
  process.env.JWT_SECRET = 'a-secret-that-no-child-may-ever-see-0000';
  harness = await Harness.start({ COMMAND_CONCURRENCY: '3', OUTPUT_LIMIT_BYTES: '65536' });
  runner = await harness.runner();
});

afterAll(async () => {
  delete process.env.JWT_SECRET;
  await harness[Symbol.asyncDispose]();
});

async function ended(command_id: string, who = ann) {
  return until('the command has ended', async () => {
    const command = await runner.commands.getCommandStatus({ command_id }, who);
    return command.status !== 'running' && command;
  });
}

async function run(command: string, more: { environment?: Record<string, string>; timeout?: number } = {}) {
  const started = await runner.commands.executeCommand({ command, environment: {}, ...more }, ann);
  return ended(started.command_id);
}

const textOf = (command: { output: { content: string; stream: string }[] }, stream = 'stdout') =>
  command.output
    .filter((piece) => piece.stream === stream)
    .map((piece) => piece.content)
    .join('');

describe('a direct command', () => {
  test('answers at once with its process id, and later with its output, line by line', async () => {
    const request = { command: 'echo one; echo two; sleep 0.1; printf three', environment: {} };
    const started = await runner.commands.executeCommand(request, ann);
    expect(started).toMatchObject({ status: 'running', pid: expect.any(Number) });
    const command = await ended(started.command_id);
    expect(command).toMatchObject({ status: 'completed', exit_code: 0, output_truncated: false });
    expect(command.output.map((piece) => piece.content)).toEqual(['one\n', 'two\n', 'three']);
    expect(command.duration).toBeGreaterThan(0.09);
  });

  test('is shown live in order, and its end is told', async () => {
    const command = await run('for i in 1 2 3 4 5; do echo $i; sleep 0.05; done');
    await until('the end is told', () =>
      harness.events.some((e) => e.type === 'command.finished' && e.data.command_id === command.command_id),
    );
    const batches = harness.shown(command.command_id);
    const piecesBefore = (place: number) => batches.slice(0, place).flatMap(({ pieces }) => pieces).length;
    expect(batches.map((batch) => batch.sequence)).toEqual(batches.map((_, index) => piecesBefore(index) + 1));
    expect(batches.at(-1)).toMatchObject({ sequence: 6, pieces: [], end: { status: 'completed', exit_code: 0 } });
    expect(batches.flatMap((batch) => batch.pieces).map((piece) => piece.content)).toEqual(
      ['1', '2', '3', '4', '5'].map((n) => `${n}\n`),
    );
  });

  test('is stored but not shown when the caller does not want to watch', async () => {
    const request = { command: 'echo quiet', environment: {}, stream_output: false };
    const { command_id } = await runner.commands.executeCommand(request, ann);
    expect(textOf(await ended(command_id))).toBe('quiet\n');
    expect(harness.shown(command_id)).toEqual([]);
  });

  test('tells its exit code, and a signal as a negative one', async () => {
    expect(await run('exit 3')).toMatchObject({ status: 'failed', exit_code: 3, error: 'Exited with code 3' });
    expect(await run('kill -9 $$')).toMatchObject({ status: 'failed', exit_code: -9 });
  });

  test('names the command that was not found', async () => {
    expect(await run('surely-no-such-command --now')).toMatchObject({
      status: 'failed',
      exit_code: 127,
      error: 'Command not found: surely-no-such-command',
    });
    expect(await run('exit 127')).toMatchObject({ error: 'Exited with code 127' });
  });

  test('sees what the caller sets and nothing of ours', async () => {
    const text = textOf(await run('env', { environment: { GREETING: 'hello world' } }));
    expect(text).toContain('GREETING=hello world\n');
    expect(text).toContain('PATH=');
    expect(text).not.toMatch(/JWT_SECRET|MONGODB_URI|AMQP|NODE_ENV|JEST/);
  });

  test('is refused with a variable that would hijack the loader', async () => {
    for (const name of ['LD_PRELOAD', 'NODE_OPTIONS', 'BASH_ENV', 'CLAUDE_CLI_TASK_ID', '1A', 'A=B']) {
      const request = { command: 'true', environment: { [name]: 'x' } };
      await expect(runner.commands.executeCommand(request, ann)).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        details: { field: 'environment' },
      });
    }
  });

  test('runs in a directory of the workspace and never outside', async () => {
    const root = runner.ctx.workspace.root;
    await mkdir(join(root, 'inner'), { recursive: true });
    await symlink('/etc', join(root, 'way-out'));
    const inside = async (working_directory: string) => {
      const request = { command: 'pwd -P', environment: {}, working_directory };
      return textOf(await ended((await runner.commands.executeCommand(request, ann)).command_id)).trim();
    };
    expect(await inside('inner')).toBe(join(root, 'inner'));
    expect(await inside(join(root, 'inner'))).toBe(join(root, 'inner'));
    for (const working_directory of ['..', 'inner/../..', '/etc', 'way-out', 'missing', `${root}-other`, 'a\0b']) {
      const request = { command: 'pwd', environment: {}, working_directory };
      await expect(runner.commands.executeCommand(request, ann)).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        details: { field: 'working_directory' },
      });
    }
  });

  test('is stopped by its timeout with everything that it started', async () => {
    const command = await run('sleep 60 & echo $!; sleep 60', { timeout: 1 });
    expect(command).toMatchObject({ status: 'timed_out', exit_code: -15, error: 'Timed out after 1 s' });
    expect(isAlive(Number(textOf(command)))).toBe(false);
  });

  test('ends when its main process ends, although what it left behind holds its output open', async () => {
    const command = await run('setsid sh -c "echo stray; sleep 60" & sleep 60 & echo $!; sleep 0.1');
    expect(command).toMatchObject({ status: 'completed', exit_code: 0 });
    expect(command.duration).toBeLessThan(30);
    expect(isAlive(Number(textOf(command).replace('stray\n', '')))).toBe(false);
  });

  test('refuses one more than may run at once', async () => {
    const request = { command: 'sleep 30', environment: {} };
    const started = await Promise.all([1, 2, 3].map(() => runner.commands.executeCommand(request, ann)));
    await expect(runner.commands.executeCommand(request, ann)).rejects.toMatchObject({ code: 'SYSTEM_OVERLOADED' });
    const { total_running } = await runner.commands.listRunningCommands({}, ann);
    expect(total_running).toBe(3);
    await Promise.all(started.map(({ command_id }) => runner.commands.cancelCommand({ command_id }, ann)));
    expect(await run('true')).toMatchObject({ status: 'completed' });
  });

  test('keeps the first and the last part of much output and says how much is missing', async () => {
    const command = await run('seq 1 200000');
    const stored = command.output.filter((piece) => piece.stream === 'stdout');
    const bytes = stored.reduce((sum, piece) => sum + piece.content.length, 0);
    const written = Array.from({ length: 200_000 }, (_, i) => `${i + 1}\n`.length).reduce((a, b) => a + b);
    expect(command.output_truncated).toBe(true);
    expect(bytes).toBeLessThanOrEqual(65_536);
    expect(bytes).toBeGreaterThan(65_536 / 2);
    expect(stored.at(0)?.content).toMatch(/^1\n2\n/);
    expect(stored.at(-1)?.content).toMatch(/\n200000\n$/);
    const notes = command.output.filter((piece) => piece.stream === 'system');
    expect(notes.map((note) => note.content)).toEqual([`[${written - bytes} bytes of output were dropped here]\n`]);
  });
});

describe('the commands of others', () => {
  test('do not exist for a user, and all exist for an admin', async () => {
    const { command_id } = await runner.commands.executeCommand({ command: 'true', environment: {} }, ann);
    await ended(command_id);
    const notFound = { code: 'RESOURCE_NOT_FOUND' };
    await expect(runner.commands.getCommandStatus({ command_id }, as('bob'))).rejects.toMatchObject(notFound);
    await expect(runner.commands.cancelCommand({ command_id }, as('bob'))).rejects.toMatchObject(notFound);
    expect(await runner.commands.listCommandHistory({}, as('bob'))).toMatchObject({ commands: [], total: 0 });
    const admin = as('root', 'admin');
    expect(await runner.commands.getCommandStatus({ command_id }, admin)).toMatchObject({ status: 'completed' });
    const { commands, total, limit } = await runner.commands.listCommandHistory({ limit: 2 }, admin);
    expect(commands[0]?.command_id).toBe(command_id);
    expect(commands).toHaveLength(2);
    expect([limit, total > 2]).toEqual([2, true]);
  });

  test('cannot be started by a viewer', async () => {
    const viewer = as('vic', 'viewer');
    await expect(runner.commands.executeCommand({ command: 'true', environment: {} }, viewer)).rejects.toMatchObject({
      code: 'AUTH_INSUFFICIENT_PERMISSIONS',
    });
  });
});

describe('cancelling', () => {
  test('answers when the process and what it started are gone', async () => {
    const request = { command: 'sleep 60 & echo $!; wait', environment: {} };
    const { command_id } = await runner.commands.executeCommand(request, ann);
    const child = await until('it has written', async () =>
      Number(textOf(await runner.commands.getCommandStatus({ command_id }, ann))),
    );
    const cancelled = await runner.commands.cancelCommand({ command_id }, ann);
    expect(cancelled).toMatchObject({ command_id, status: 'cancelled', exit_code: -15 });
    expect(isAlive(child)).toBe(false);
    await expect(runner.commands.cancelCommand({ command_id }, ann)).rejects.toMatchObject({
      code: 'RESOURCE_CONFLICT',
    });
  });

  test('reaches a command that runs on another replica', async () => {
    const other = await harness.runner();
    const { command_id } = await runner.commands.executeCommand({ command: 'sleep 60', environment: {} }, ann);
    expect(await other.commands.cancelCommand({ command_id }, ann)).toMatchObject({ exit_code: -15 });
    await other[Symbol.asyncDispose]();
  });
});

test('what runs when the service stops may finish, and is killed and reported when it does not', async () => {
  const other = await harness.runner({ SHUTDOWN_GRACE_MS: '2000' });
  const start = (command: string) => other.commands.executeCommand({ command, environment: {} }, ann);
  const [quick, slow] = await Promise.all([start('setsid sleep 65 & echo $!; sleep 0.1'), start('sleep 60')]);
  await other[Symbol.asyncDispose]();
  const finished = await ended(quick.command_id);
  expect(finished).toMatchObject({ status: 'completed' });
  await until('what escaped is gone', () => !isAlive(Number(textOf(finished))));
  expect(await ended(slow.command_id)).toMatchObject({ status: 'failed', error: 'runner stopped' });
  await until('the end is told', () =>
    harness.events.some((e) => e.type === 'command.finished' && e.data.command_id === slow.command_id),
  );
});

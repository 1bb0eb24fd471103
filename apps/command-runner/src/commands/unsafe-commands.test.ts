import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { permissionsOf } from '@claude-cli/shared/caller';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { as, Harness, type TestRunner } from '../testing/harness.ts';

let harness: Harness;
let runner: TestRunner;
const ann = as('ann');
const root = as('root', 'admin');

beforeAll(async () => {
  harness = await Harness.start();
  runner = await harness.runner();
});

afterAll(() => harness[Symbol.asyncDispose]());

/** Would change nothing if it were run: the directory does not exist. */
const unsafe = 'echo ran; rm -rf /etc/no-such-directory-anywhere';
const request = { command: unsafe, environment: {} };

function ended(command_id: string) {
  return until('the command has ended', async () => {
    const command = await runner.commands.getCommandStatus({ command_id }, root);
    return command.status !== 'running' && command;
  });
}

describe('validation', () => {
  test('answers as the reference has it', async () => {
    expect(await runner.commands.validateCommand({ command: 'rm -rf /', check_safety: true }, ann)).toEqual({
      valid: false,
      safe: false,
      warnings: ['This command is potentially destructive', 'Command attempts to delete system files'],
      suggestions: ["Use 'rm -rf ./directory' to delete specific directory", "Use 'ls' to list files before deletion"],
    });
  });

  test('looks for harm unless it is told not to', async () => {
    expect(await runner.commands.validateCommand({ command: 'rm -rf /' }, ann)).toMatchObject({ valid: false });
    const answer = await runner.commands.validateCommand({ command: 'rm -rf /', check_safety: false }, ann);
    expect(answer).toEqual({ valid: true, safe: true, warnings: [], suggestions: [] });
  });

  test('finds nothing wrong with a program that does not exist, and names where a command cannot be parsed', async () => {
    const missing = await runner.commands.validateCommand({ command: 'no-such-program' }, ann);
    expect(missing).toMatchObject({ valid: true, safe: true });
    const broken = await runner.commands.validateCommand({ command: 'if true', check_safety: false }, ann);
    expect(broken).toMatchObject({ valid: false, safe: true, warnings: [expect.stringContaining('line 1, column 1')] });
  });

  test('and execution agree about a directory and about variables', async () => {
    const all = 'rm -rf ./*';
    expect(await runner.commands.validateCommand({ command: all }, ann)).toMatchObject({ safe: false });
    await expect(runner.commands.executeCommand({ command: all, environment: {} }, ann)).rejects.toMatchObject({
      code: 'COMMAND_UNSAFE',
    });
    for (const command of ['$X', 'eval "$X"', 'sh -c "$X"']) {
      const hidden = { command, environment: { X: 'rm -rf /etc/no-such-directory-anywhere' } };
      await expect(runner.commands.executeCommand(hidden, ann)).rejects.toMatchObject({ code: 'COMMAND_UNSAFE' });
    }
  });
});

describe('an unsafe command', () => {
  test.each([
    ['a developer', ann],
    ['an admin', root],
  ])('is refused for %s, with reasons and what to do instead', async (_, who) => {
    const before = await runner.commands.listCommandHistory({}, root);
    await expect(runner.commands.executeCommand(request, who)).rejects.toMatchObject({
      code: 'COMMAND_UNSAFE',
      details: {
        field: 'command',
        issue: 'This command is potentially destructive; Command attempts to delete system files',
        warnings: ['This command is potentially destructive', 'Command attempts to delete system files'],
        suggestions: [expect.any(String), expect.any(String)],
      },
    });
    expect((await runner.commands.listCommandHistory({}, root)).total).toBe(before.total);
  });

  test('cannot be forced without the permission, whatever the role', async () => {
    const refused = { code: 'AUTH_INSUFFICIENT_PERMISSIONS' };
    const key = {
      caller: { user_id: 'root', role: 'admin', permissions: permissionsOf.developer },
      requestId: newId(),
    };
    for (const who of [ann, key as typeof root]) {
      await expect(runner.commands.executeCommand({ ...request, force: true }, who)).rejects.toMatchObject(refused);
      const safe = { command: 'true', environment: {}, force: true };
      await expect(runner.commands.executeCommand(safe, who)).rejects.toMatchObject(refused);
    }
  });

  test('runs when an admin forces it, which is kept, told and logged without its text', async () => {
    const warn = jest.spyOn(runner.ctx.log, 'warn');
    const { command_id } = await runner.commands.executeCommand({ ...request, force: true }, root);
    expect(await ended(command_id)).toMatchObject({
      status: 'completed',
      forced: true,
      output: [{ content: 'ran\n' }],
    });
    const facts = { user_id: 'root', command_id, request_id: root.requestId };
    expect(warn.mock.calls).toEqual([[facts, 'an admin had a command run that was found unsafe']]);
    warn.mockRestore();
    const event = await until('the end is told', () =>
      harness.events.find((e) => e.type === 'command.finished' && e.data.command_id === command_id),
    );
    expect(event.data).toMatchObject({ forced: true });
    const { suggestions } = await runner.commands.listCommandSuggestions({ prefix: 'echo ran' }, root);
    expect(suggestions).toEqual([]);
  });

  test('is not noted as forced when it was safe all the same', async () => {
    const { command_id } = await runner.commands.executeCommand(
      { command: 'true', environment: {}, force: true },
      root,
    );
    expect(await ended(command_id)).toMatchObject({ status: 'completed', forced: false });
  });

  test('of a task is never started, and the execution ends with the reason', async () => {
    const marker = join(runner.ctx.workspace.root, 'started');
    const job = await harness.execute(`touch ${marker}; rm -rf /etc/no-such-directory-anywhere`);
    const error = 'Refused as unsafe: This command is potentially destructive; Command attempts to delete system files';
    expect(await harness.finished(job.execution_id)).toMatchObject({ status: 'failed', exit_code: 126, error });
    expect(await ended(job.execution_id).catch(({ code }) => code)).toBe('PROJECT_ACCESS_DENIED');
    harness.standIn.members.add('root');
    expect(await ended(job.execution_id)).toMatchObject({ status: 'failed', exit_code: 126, error, output: [] });
    await expect(readFile(marker)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

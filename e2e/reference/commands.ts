import { expect, test } from '@jest/globals';
import { writingCommand } from '../support/tasks.ts';
import { outcomeOf } from '../support/users.ts';
import { type Reference, time } from './reference.ts';

/** Commands, as the API reference shows them. */
export function commands(reference: () => Reference): void {
  const summary = { command_id: 'x', command: 'x', status: 'running', started_at: time, duration: 45.5 };

  test('are executed, watched, cancelled and remembered', async () => {
    const body = {
      command: 'echo $NODE_ENV; sleep 30',
      timeout: 30,
      environment: { NODE_ENV: 'test' },
      stream_output: true,
    };
    const started = { command_id: 'x', status: 'running', pid: 12345, started_at: time };
    const { command_id } = await reference().shows<{ command_id: string }>(
      'POST',
      '/api/commands/execute',
      body,
      200,
      started,
    );
    await writingCommand(reference().running.admin, command_id);
    await reference().shows('GET', '/api/commands/running', undefined, 200, { commands: [summary], total_running: 1 });
    const cancelled = { command_id: 'x', status: 'cancelled', cancelled_at: time, exit_code: -15 };
    expect(
      await reference().shows('POST', `/api/commands/${command_id}/cancel`, undefined, 200, cancelled),
    ).toMatchObject({
      status: 'cancelled',
      exit_code: -15,
    });
    const output = [{ timestamp: time, stream: 'stdout', content: 'total 64\n' }];
    const status = { ...summary, pid: 1, output, exit_code: null };
    expect(await reference().shows('GET', `/api/commands/${command_id}/status`, undefined, 200, status)).toMatchObject({
      output: [{ stream: 'stdout', content: 'test\n' }],
      exit_code: -15,
    });
    await reference().shows('GET', '/api/commands/history?limit=50&offset=0', undefined, 200, {
      commands: [{ ...summary, completed_at: time, exit_code: 0 }],
      ...{ total: 150, limit: 50, offset: 0 },
    });
  });

  test('are suggested and validated as the reference shows', async () => {
    const suggestions = await reference().call<{ suggestions: object[] }>(
      'GET',
      '/api/commands/suggestions?context=git&prefix=git%20',
    );
    expect(suggestions.suggestions.slice(0, 3)).toEqual([
      { command: 'git status', description: 'Show the working tree status', category: 'git' },
      { command: 'git add .', description: 'Add all files to staging area', category: 'git' },
      { command: 'git commit -m', description: 'Commit staged changes with message', category: 'git' },
    ]);
    expect(
      await reference().call('POST', '/api/commands/validate', { command: 'rm -rf /', check_safety: true }),
    ).toEqual({
      valid: false,
      safe: false,
      warnings: ['This command is potentially destructive', 'Command attempts to delete system files'],
      suggestions: ["Use 'rm -rf ./directory' to delete specific directory", "Use 'ls' to list files before deletion"],
    });
    expect(await reference().call('POST', '/api/commands/validate', { command: 'echo "rm -rf /"' })).toMatchObject({
      valid: true,
      safe: true,
      warnings: [],
    });
  });

  test('that are unsafe are refused, and so are directories outside the workspace', async () => {
    const refused = await reference().send('POST', '/api/commands/execute', { command: 'rm -rf /' });
    expect(outcomeOf(refused)).toEqual([422, 'COMMAND_UNSAFE']);
    expect(refused.body.error?.details).toMatchObject({ field: 'command', warnings: expect.any(Array) });
    for (const working_directory of ['/path/to/directory', '../..', '/etc']) {
      const answer = await reference().send('POST', '/api/commands/execute', { command: 'ls -la', working_directory });
      expect([answer.status, answer.body.error?.details.field]).toEqual([422, 'working_directory']);
    }
  });
}

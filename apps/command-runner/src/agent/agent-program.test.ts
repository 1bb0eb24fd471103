import { expect, test } from '@jest/globals';
import { agentProgram } from './agent-program.ts';

const usual = ['--output-format', 'stream-json', '--verbose'];

test('the agent is started with its prompt, which is never an option', () => {
  expect(agentProgram('claude', 'Say hello')).toEqual({ file: 'claude', args: ['-p', 'Say hello', ...usual] });
  expect(agentProgram('claude', '--help $(id)').args).toEqual(['-p', ' --help $(id)', ...usual]);
});

test('the agent is started with the options that are there', () => {
  const settings = { permission_mode: 'plan', model: 'opus', max_turns: 7, max_budget_usd: 0.000001, ignored: ['x'] };
  expect(agentProgram('claude', 'Go', { settings, resume_session_id: 's-1', notes: ['x'] }).args.slice(2)).toEqual([
    ...usual,
    ...['--permission-mode', 'plan', '--model', 'opus', '--max-turns', '7', '--max-budget-usd', '0.000001'],
    ...['--resume', 's-1'],
  ]);
  expect(agentProgram('claude', 'Go', { settings: { max_turns: 7, ignored: [] } }).args.slice(2)).toEqual([
    ...usual,
    '--max-turns',
    '7',
  ]);
});

import type { AgentOptions } from '@claude-cli/proto/platform/v1/executions';
import type { Program } from '../processes/shell.ts';

/**
 * The Claude CLI, as an agent that works on a prompt. Started without a shell, so nothing in the prompt is interpreted.
 * @param options as task-service gives them: checked, so that no value can be taken for an option
 */
export function agentProgram(binary: string, prompt: string, options: Partial<AgentOptions> = {}): Program {
  // A prompt that begins with a dash must not be taken for an option.
  const text = prompt.startsWith('-') ? ` ${prompt}` : prompt;
  const args = ['-p', text, '--output-format', 'stream-json', '--verbose'];
  const { permission_mode, model, max_turns, max_budget_usd } = options.settings ?? {};
  if (permission_mode !== undefined) args.push('--permission-mode', permission_mode);
  if (model !== undefined) args.push('--model', model);
  if (max_turns !== undefined) args.push('--max-turns', String(max_turns));
  if (max_budget_usd !== undefined) args.push('--max-budget-usd', String(max_budget_usd));
  if (options.resume_session_id !== undefined) args.push('--resume', options.resume_session_id);
  return { file: binary, args };
}

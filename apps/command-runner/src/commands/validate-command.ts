import type { CommandValidation, ValidateCommandRequest } from '@claude-cli/proto/platform/v1/commands';
import type { Context } from '../context.ts';
import { judgeCommand } from './judge-command.ts';

/** Say whether a command can be parsed, and whether it would do harm in the root of the workspace, where commands run by default. */
export async function validateCommand(ctx: Context, request: ValidateCommandRequest): Promise<CommandValidation> {
  const { command, check_safety = true } = request;
  const verdict = check_safety
    ? await judgeCommand(ctx, command, { directory: ctx.workspace.root })
    : await ctx.safety.parse(command);
  const { parsed, safe, warnings, suggestions } = verdict;
  return { valid: parsed && safe, safe, warnings, suggestions };
}

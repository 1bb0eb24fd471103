import { homedir } from 'node:os';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';
import type { Verdict } from '../safety/safety.ts';

/** How a command would be run. */
interface Run {
  /** Absolute working directory. */
  directory: string;
  /** Variables that the caller adds. */
  environment?: Record<string, string>;
}

/** Look for harm in a command, before it runs. Never rejects. */
export function judgeCommand(ctx: Context, command: string, { directory, environment = {} }: Run): Promise<Verdict> {
  const { root } = ctx.workspace;
  const runnerPids = [ctx.spawner.pid ?? process.pid, process.pid];
  return ctx.safety.judge(command, { root, directory, home: homedir(), runnerPids, environment });
}

/** Why a command is refused, in one line. */
export function reasonOf({ warnings }: Verdict): string {
  return warnings.join('; ');
}

/** The answer to a command that is refused. */
export function unsafeCommand(verdict: Verdict): PlatformError {
  const { warnings, suggestions } = verdict;
  const issue = reasonOf(verdict);
  return new PlatformError('COMMAND_UNSAFE', 'The command is refused because it is not safe', {
    field: 'command',
    issue,
    warnings,
    suggestions,
  });
}

import type { ExecuteCommandRequest, StartedCommand } from '@claude-cli/proto/platform/v1/commands';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { checkEnvironment } from '../processes/environment.ts';
import { shellProgram } from '../processes/shell.ts';
import { requireExecute } from './access.ts';
import type { CommandEnd } from './command.ts';
import { type CommandSpec, startCommand } from './start-command.ts';

const defaultTimeoutSeconds = 300;

/** Start a shell command on this replica. */
export async function executeCommand(
  ctx: Context,
  request: ExecuteCommandRequest,
  call: Call,
): Promise<StartedCommand> {
  requireExecute(call);
  checkEnvironment(request.environment);
  const working_directory = await ctx.workspace.existing(request.working_directory);
  const release = ctx.directSlots.take();
  if (!release) throw new PlatformError('SYSTEM_OVERLOADED', 'Too many commands run at once, try again later');
  try {
    const spec = directCommand(ctx, request, call.caller.user_id, working_directory);
    const running = await startCommand(ctx, spec);
    void running.ended.then(release);
    const status = running.pid === undefined ? 'failed' : 'running';
    return { command_id: running.id, status, pid: running.pid, started_at: spec.facts.started_at.toISOString() };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

function directCommand(ctx: Context, request: ExecuteCommandRequest, user: string, directory: string): CommandSpec {
  const id = newId();
  return {
    facts: {
      _id: id,
      run_id: id,
      kind: 'direct',
      command: request.command,
      working_directory: directory,
      user_id: user,
      project_id: null,
      task_id: null,
      started_at: new Date(),
    },
    program: shellProgram(request.command, ctx.limits),
    timeoutMs: (request.timeout ?? defaultTimeoutSeconds) * 1000,
    live: request.stream_output ?? true,
    environment: request.environment,
    report: ({ status, exit_code }: CommandEnd) =>
      newEvent(
        'command.finished',
        { actor: user, project_id: null },
        { command_id: id, user_id: user, status, exit_code },
      ),
  };
}

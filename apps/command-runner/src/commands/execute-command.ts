import type { ExecuteCommandRequest, StartedCommand } from '@claude-cli/proto/platform/v1/commands';
import { requirePermission } from '@claude-cli/shared/caller';
import { idForNew, makeOnce } from '@claude-cli/shared/creation';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { checkEnvironment } from '../processes/environment.ts';
import { shellProgram } from '../processes/shell.ts';
import type { CommandEnd, CommandRecord } from './command.ts';
import { judgeCommand, unsafeCommand } from './judge-command.ts';
import { type CommandSpec, startCommand } from './start-command.ts';

const defaultTimeoutSeconds = 300;

/** Start a shell command on this replica. */
export async function executeCommand(
  ctx: Context,
  request: ExecuteCommandRequest,
  call: Call,
): Promise<StartedCommand> {
  requirePermission(call.caller, 'execute');
  if (request.force) requirePermission(call.caller, 'admin');
  checkEnvironment(request.environment);
  const directory = await ctx.workspace.existing(request.working_directory);
  const verdict = await judgeCommand(ctx, request.command, { directory, environment: request.environment });
  if (!verdict.safe && !request.force) throw unsafeCommand(verdict);
  const find = async (id: string) => {
    const made = await ctx.commands.find(id);
    return made?.user_id === call.caller.user_id ? startedEarlier(made) : undefined;
  };
  return makeOnce(call, find, () =>
    start(ctx, directCommand(request, call, { directory, forced: !verdict.safe }), call),
  );
}

async function start(ctx: Context, spec: CommandSpec, call: Call): Promise<StartedCommand> {
  const release = ctx.directSlots.take();
  if (!release) throw new PlatformError('SYSTEM_OVERLOADED', 'Too many commands run at once, try again later');
  try {
    // The text may hold secrets: the record has it, for those who may see the record.
    if (spec.facts.forced) ctx.log.warn(auditOf(spec, call), 'an admin had a command run that was found unsafe');
    const running = await startCommand(ctx, spec);
    void running.ended.then(release);
    const status = running.pid === undefined ? 'failed' : 'running';
    return { command_id: running.id, status, pid: running.pid, started_at: spec.facts.started_at.toISOString() };
  } catch (thrown) {
    release();
    throw thrown;
  }
}

function startedEarlier({ _id, pid, started_at, status }: CommandRecord): StartedCommand {
  const common = { command_id: _id, started_at: started_at.toISOString() };
  return pid === null ? { ...common, status } : { ...common, status, pid };
}

function auditOf({ facts }: CommandSpec, { requestId }: Call) {
  return { user_id: facts.user_id, command_id: facts._id, request_id: requestId };
}

function directCommand(
  request: ExecuteCommandRequest,
  call: Call,
  { directory, forced }: { directory: string; forced: boolean },
): CommandSpec {
  const id = idForNew(call);
  const { user_id, session_id } = call.caller;
  return {
    facts: {
      _id: id,
      run_id: id,
      kind: 'direct',
      command: request.command,
      working_directory: directory,
      user_id,
      project_id: null,
      task_id: null,
      started_at: new Date(),
      forced,
    },
    program: shellProgram(request.command),
    timeoutMs: (request.timeout ?? defaultTimeoutSeconds) * 1000,
    isFirst: false,
    live: request.stream_output ?? true,
    environment: request.environment,
    report: ({ status, exit_code }: CommandEnd) =>
      newEvent(
        'command.finished',
        { actor: user_id, project_id: null, session_id },
        { command_id: id, user_id, status, exit_code, forced },
      ),
  };
}

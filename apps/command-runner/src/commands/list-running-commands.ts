import type { ListRunningCommandsRequest, RunningCommands } from '@claude-cli/proto/platform/v1/commands';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { whoseCommands } from './access.ts';
import { type CommandRecord, toSummary } from './command.ts';

const mostCommands = 100;

/** The caller's commands that run now, on any replica, newest first. */
export async function listRunningCommands(
  ctx: Context,
  _request: ListRunningCommandsRequest,
  call: Call,
): Promise<RunningCommands> {
  const whose = whoseCommands(call);
  const [records, total_running] = await Promise.all([
    ctx.commands.running(whose, mostCommands).lean<CommandRecord[]>(),
    ctx.commands.countRunning(whose),
  ]);
  return { commands: records.map(toSummary), total_running };
}

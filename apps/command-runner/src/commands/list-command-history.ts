import type { CommandHistory, ListCommandHistoryRequest } from '@claude-cli/proto/platform/v1/commands';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { whoseCommands } from './access.ts';
import { type CommandRecord, toSummary } from './command.ts';

/** The caller's commands, newest first. */
export async function listCommandHistory(
  ctx: Context,
  request: ListCommandHistoryRequest,
  call: Call,
): Promise<CommandHistory> {
  const { limit = 50, offset = 0 } = request;
  const whose = whoseCommands(call);
  const [records, total] = await Promise.all([
    ctx.commands.history(whose, { limit, offset }).lean<CommandRecord[]>(),
    ctx.commands.count(whose),
  ]);
  return { commands: records.map(toSummary), total, limit, offset };
}

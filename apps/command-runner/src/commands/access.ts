import { isAdmin } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import type { CommandRecord } from './command.ts';
import type { Whose } from './command-store.ts';

/** The answer for a command that does not exist, and for one that the caller may not know of. */
function unknown(id: string): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'The command does not exist', { command_id: id });
}

/**
 * A command that the caller may see or stop: a direct one belongs to whoever started it, an execution to its project.
 * @throws PlatformError RESOURCE_NOT_FOUND, and what project-service says about the project
 */
export async function commandFor(ctx: Context, id: string, call: Call, need: 'read' | 'write'): Promise<CommandRecord> {
  const record = await ctx.commands.find(id);
  if (!record) throw unknown(id);
  if (record.project_id !== null) {
    if (need === 'write') await ctx.access.checkWrite(record.project_id, call);
    else await ctx.access.check(record.project_id, call);
  } else if (record.user_id !== call.caller.user_id && !isAdmin(call.caller)) {
    throw unknown(id);
  }
  return record;
}

/** Whose commands the caller's lists show. */
export function whoseCommands(call: Call): Whose {
  return isAdmin(call.caller) ? {} : { user_id: call.caller.user_id };
}

import type { Command, GetCommandStatusRequest } from '@claude-cli/proto/platform/v1/commands';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { commandFor } from './access.ts';
import { toProto } from './command.ts';

/** State and stored output of a command or of an execution that has started. */
export async function getCommandStatus(ctx: Context, request: GetCommandStatusRequest, call: Call): Promise<Command> {
  const record = await commandFor(ctx, request.command_id, call, 'read');
  return toProto(record, await ctx.outputs.piecesOf(record.run_id));
}

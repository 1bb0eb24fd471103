import { setTimeout } from 'node:timers/promises';
import type { CancelCommandRequest, CancelledCommand } from '@claude-cli/proto/platform/v1/commands';
import { requirePermission } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { within } from '../retry.ts';
import { commandFor } from './access.ts';
import type { CommandEnd, CommandRecord } from './command.ts';

/** How long the end is waited for, in milliseconds: SIGKILL comes after 5 s, and the caller stops waiting after 10. */
const waitMs = 9_000;
const pollMs = 50;

type End = Pick<CommandEnd, 'status' | 'exit_code'> & { completed_at: Date | null };

/** Stop a command wherever it runs, and answer when it has ended. */
export async function cancelCommand(
  ctx: Context,
  request: CancelCommandRequest,
  call: Call,
): Promise<CancelledCommand> {
  requirePermission(call.caller, 'execute');
  const record = await commandFor(ctx, request.command_id, call, 'write');
  if (record.status !== 'running') throw alreadyEnded(record);
  const end = await stopAndWait(ctx, record);
  if (end.status !== 'cancelled') throw alreadyEnded({ ...record, status: end.status });
  const byItself = end.exit_code === null || end.exit_code >= 0;
  return {
    command_id: record._id,
    status: 'cancelled',
    cancelled_at: (end.completed_at ?? new Date()).toISOString(),
    // A process that catches SIGTERM may exit with any code; it ended by it all the same.
    exit_code: byItself || end.exit_code === null ? -15 : end.exit_code,
  };
}

async function stopAndWait(ctx: Context, record: CommandRecord): Promise<End> {
  const here = ctx.running.get(record._id);
  here?.stop('cancelled');
  if (!here) await ctx.bus.publishControl({ order: 'cancel', command_id: record._id });
  const stop = new AbortController();
  try {
    return await within(waitMs, here ? here.ended : endElsewhere(ctx, record, stop.signal));
  } catch (cause) {
    if (cause instanceof PlatformError) throw cause;
    throw new PlatformError('UPSTREAM_ERROR', 'The command was told to stop and has not ended yet', {}, cause);
  } finally {
    stop.abort();
  }
}

async function endElsewhere(ctx: Context, record: CommandRecord, signal: AbortSignal): Promise<End> {
  for (;;) {
    const now = await ctx.commands.find(record._id);
    if (now?.run_id !== record.run_id || now.status !== 'running') return now ?? { ...record, status: 'failed' };
    await setTimeout(pollMs, undefined, { signal });
  }
}

function alreadyEnded({ _id, status }: Pick<CommandRecord, '_id' | 'status'>): PlatformError {
  return new PlatformError('RESOURCE_CONFLICT', `The command is not running any more: ${status}`, {
    command_id: _id,
    status,
  });
}

import type { CommandOutputPage, ReadCommandOutputRequest } from '@claude-cli/proto/platform/v1/commands';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { commandFor } from './access.ts';
import type { CommandRecord } from './command.ts';

/** Bytes after which a page ends: far below what a message may have, since a batch is below 200 KB. */
const pageBytes = 262_144;

/** What the present run of a command wrote after a piece, in pages, and at last its end. */
export async function readCommandOutput(
  ctx: Context,
  { command_id, run_id, after, limit }: ReadCommandOutputRequest,
  call: Call,
): Promise<CommandOutputPage> {
  const record = await commandFor(ctx, command_id, call, 'read');
  const about = {
    run_id: record.run_id,
    project_id: record.project_id ?? undefined,
    task_id: record.task_id ?? undefined,
  };
  if (limit === 0) return { ...about, ...(await placeOf(ctx, record)), chunks: [], complete: false };
  if (run_id !== undefined && run_id !== record.run_id) return { ...about, last: 0, chunks: [], complete: true };
  const chunks: CommandOutputPage['chunks'] = [];
  let bytes = 0;
  for await (const batch of ctx.outputs.from(record.run_id, after + 1)) {
    if (batch.note || batch.sequence + batch.pieces.length - 1 <= after) continue;
    if (bytes > pageBytes || chunks.length >= limit) return { ...about, last: 0, chunks, complete: false };
    bytes += batch.bytes;
    chunks.push({ sequence: batch.sequence, pieces: batch.pieces });
  }
  // Read after the record: when that says that the run has ended, all of its output was there.
  const { last, end } = await placeOf(ctx, record);
  return { ...about, last, chunks, complete: true, end: end && end.sequence > after ? end : undefined };
}

async function placeOf(ctx: Context, record: CommandRecord): Promise<Pick<CommandOutputPage, 'last' | 'end'>> {
  const { run_id, status, output_pieces, exit_code } = record;
  const stored = output_pieces ?? (await ctx.outputs.lastPiece(run_id));
  if (status === 'running') return { last: stored };
  return { last: stored + 1, end: { sequence: stored + 1, status, exit_code: exit_code ?? undefined } };
}

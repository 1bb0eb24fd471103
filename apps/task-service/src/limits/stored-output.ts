import { parseByteSize } from '@claude-cli/shared/byte-size';
import { PlatformError } from '@claude-cli/shared/errors';
import { defaultLimits } from '@claude-cli/shared/limits';
import { ignoreDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import { type Measure, settledSums } from './settled-sum.ts';

/** Share of a limit below which a sum may be a second old. */
const farBelow = 0.5;

const output: Measure<'bytes'> = { kept: 'output', of: {}, sums: { bytes: '$output_bytes' } };

/**
 * Refuse to run more when the stored output of the project's executions has reached the project's limit.
 * @param limit such as "1GB"; the installation's default when absent
 * @throws PlatformError PROJECT_LIMIT_EXCEEDED
 */
export async function requireOutputRoom(
  ctx: Context,
  project_id: string,
  limit: string = defaultLimits.storage_limit,
): Promise<void> {
  const most = parseByteSize(limit);
  if ((await ctx.storedOutputs.get(project_id, () => storedOutput(ctx, project_id))) < most * farBelow) return;
  const stored_bytes = await storedOutput(ctx, project_id);
  if (stored_bytes < most) return;
  const details = { storage_limit: limit, stored_bytes };
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project stores as much output as it may', details);
}

/**
 * Count the output no more that executions stored which ended before a moment. Then they may be dropped: if they are not,
 * because the process dies, they do not count all the same.
 */
export async function forgetOutputBefore({ usage }: Context, project_id: string, moment: Date): Promise<void> {
  const counted = { _id: project_id, counted_from: { $not: { $gte: moment } } };
  await usage
    .updateOne(counted, { $set: { counted_from: moment, output: null } }, { upsert: true })
    // It is there, and counts from that moment on.
    .catch(ignoreDuplicateKey);
}

/** Bytes of output that are stored of the project's executions that ended. */
export async function storedOutput(ctx: Context, project_id: string, now?: Date): Promise<number> {
  return (await settledSums(ctx, project_id, output, now)).bytes;
}

import { parseByteSize } from '@claude-cli/shared/byte-size';
import { PlatformError } from '@claude-cli/shared/errors';
import { defaultLimits } from '@claude-cli/shared/limits';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import type { OutputSum } from './project-usage.ts';

// The stored output of a project is the sum over its executions that ended. What ended a while ago does not change, so its
// sum is kept and only what ended since then is added up: nothing is counted twice or forgotten, whatever dies in between.

/** Age from which an end is certain to be stored, in milliseconds: clocks differ and writes take their time. */
const settledAfterMs = 10 * 60_000;
/** Executions after the kept sum from which it is moved on. */
const moveOnAt = 500;

const nothing: OutputSum = { until: new Date(0), bytes: 0 };

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
  const stored_bytes = await storedOutput(ctx, project_id);
  if (stored_bytes < parseByteSize(limit)) return;
  const details = { storage_limit: limit, stored_bytes };
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project stores as much output as it may', details);
}

/** Bytes of output that are stored of the project's executions that ended. */
export async function storedOutput(ctx: Context, project_id: string, now = new Date()): Promise<number> {
  const kept = (await ctx.usage.findOne({ _id: project_id }, { output: 1 }).lean())?.output ?? nothing;
  const since = await sumOf(ctx, project_id, { $gt: kept.until });
  if (since.count >= moveOnAt) await moveOn(ctx, project_id, kept, new Date(now.getTime() - settledAfterMs));
  return kept.bytes + since.bytes;
}

async function sumOf(
  ctx: Context,
  project_id: string,
  finished_at: { $gt: Date; $lte?: Date },
): Promise<{ bytes: number; count: number }> {
  const [sum] = await ctx.executions.aggregate<{ bytes: number; count: number }>([
    { $match: { project_id, finished_at } },
    { $group: { _id: null, bytes: { $sum: '$output_bytes' }, count: { $sum: 1 } } },
  ]);
  return sum ?? { bytes: 0, count: 0 };
}

/** Of several that move the sum on at the same time, one does. */
async function moveOn(ctx: Context, project_id: string, kept: OutputSum, until: Date): Promise<void> {
  if (until <= kept.until) return;
  const { bytes } = await sumOf(ctx, project_id, { $gt: kept.until, $lte: until });
  const output = { until, bytes: kept.bytes + bytes };
  const isFirst = kept === nothing;
  const unmoved = { _id: project_id, ...(isFirst ? { output: null } : { 'output.until': kept.until }) };
  await ctx.usage.updateOne(unmoved, { $set: { output } }, { upsert: isFirst }).catch((error) => {
    // The document is there, with a sum that somebody else kept meanwhile.
    if (!isDuplicateKey(error)) throw error;
  });
}

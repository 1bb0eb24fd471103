import { parseByteSize } from '@claude-cli/shared/byte-size';
import { PlatformError } from '@claude-cli/shared/errors';
import { defaultLimits } from '@claude-cli/shared/limits';
import type { Context } from '../context.ts';
import { type Measure, settledSums } from './settled-sum.ts';

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
  const stored_bytes = await storedOutput(ctx, project_id);
  if (stored_bytes < parseByteSize(limit)) return;
  const details = { storage_limit: limit, stored_bytes };
  throw new PlatformError('PROJECT_LIMIT_EXCEEDED', 'The project stores as much output as it may', details);
}

/** Bytes of output that are stored of the project's executions that ended. */
export async function storedOutput(ctx: Context, project_id: string, now?: Date): Promise<number> {
  return (await settledSums(ctx, project_id, output, now)).bytes;
}

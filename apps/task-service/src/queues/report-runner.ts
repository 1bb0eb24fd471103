import type { ReportRunnerRequest, ReportRunnerResponse } from '@claude-cli/proto/platform/v1/executions';
import { invalidField } from '@claude-cli/shared/errors';
import type { Context } from '../context.ts';

/** Longest id and most slots that are believed, so that a broken runner cannot spoil what is counted. */
const bounds = { idLength: 200, slots: 10_000 };

/** Take note that a runner is there, or that it leaves. */
export async function reportRunner(ctx: Context, request: ReportRunnerRequest): Promise<ReportRunnerResponse> {
  const { runner_id, slots, leaving } = request;
  const { runners } = ctx.queues;
  if (runner_id === '' || runner_id.length > bounds.idLength)
    throw invalidField('runner_id', 'is not an id of a runner');
  if (slots < 0 || slots > bounds.slots) throw invalidField('slots', `must be from 0 to ${bounds.slots}`);
  if (leaving) await runners.deleteOne({ _id: runner_id });
  else await runners.updateOne({ _id: runner_id }, { $set: { slots, seen_at: new Date() } }, { upsert: true });
  return {};
}

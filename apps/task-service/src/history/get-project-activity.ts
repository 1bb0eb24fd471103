import type { GetProjectActivityRequest, GetProjectActivityResponse } from '@claude-cli/proto/platform/v1/tasks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { userNames } from './user-names.ts';

const shown = 20;

/** The latest things that happened to the tasks of a project. */
export async function getProjectActivity(
  ctx: Context,
  { project_id }: GetProjectActivityRequest,
  call: Call,
): Promise<GetProjectActivityResponse> {
  const entries = await ctx.history.find({ project_id }).sort({ timestamp: -1, _id: -1 }).limit(shown).lean();
  const actors = entries.map(({ user_id }) => user_id);
  const nameOf = await userNames(ctx, actors, call);
  return {
    activity: entries.map(({ timestamp, event, task_title, user_id }) => ({
      timestamp: timestamp.toISOString(),
      action: event.replace('.', '_'),
      task_title,
      user_name: nameOf(user_id),
    })),
  };
}

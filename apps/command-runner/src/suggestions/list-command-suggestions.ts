import type { CommandSuggestions, ListCommandSuggestionsRequest } from '@claude-cli/proto/platform/v1/commands';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { CommandRecord } from '../commands/command.ts';
import type { Context } from '../context.ts';
import { suggest } from './suggest.ts';

const defaultLimit = 20;
/** How many of the caller's newest commands are looked at. */
const historyLength = 200;

/** Commands that fit what the caller has begun to type. */
export async function listCommandSuggestions(
  ctx: Context,
  request: ListCommandSuggestionsRequest,
  call: Call,
): Promise<CommandSuggestions> {
  const { context, prefix = '', limit = defaultLimit } = request;
  const newest = await ctx.commands.recent(call.caller.user_id, historyLength).lean<CommandRecord[]>();
  // An execution is of a task, not typed by the caller; what had to be forced is not suggested.
  const typed = newest.filter(({ kind, forced }) => kind === 'direct' && !forced);
  return { suggestions: suggest(typed, { context, prefix, limit }, new Date()) };
}

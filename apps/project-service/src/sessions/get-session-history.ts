import type { GetSessionHistoryRequest, SessionHistory } from '@claude-cli/proto/platform/v1/sessions';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { catchUp, type SessionEntry, toActivity } from './history.ts';
import { sessionNotFound } from './session.ts';

/** What the entries of one answer may take, in bytes: far below the largest message, and at least one entry of any size. */
const maxAnswerBytes = 4 * 1024 * 1024;

/** A part of the history of a session of the caller, whatever its status. */
export async function getSessionHistory(
  ctx: Context,
  { session_id, limit = 100, offset = 0 }: GetSessionHistoryRequest,
  call: Call,
): Promise<SessionHistory> {
  const session = await ctx.sessions.findOne({ _id: session_id, user_id: call.caller.user_id }, { outbox: 1 }).lean();
  if (!session) throw sessionNotFound(session_id);
  await catchUp(ctx, session);
  const [entries, total] = await Promise.all([
    readEntries(ctx, session_id, limit, offset),
    ctx.sessionHistory.countDocuments({ session_id }),
  ]);
  const wasCut = entries.length < Math.min(limit, total - offset);
  return { session_id, history: entries.map(toActivity), total, limit: wasCut ? entries.length : limit, offset };
}

/** Entries from an offset, oldest first: as many as wanted, or as fit into an answer. */
async function readEntries(
  { sessionHistory }: Context,
  session_id: string,
  limit: number,
  offset: number,
): Promise<SessionEntry[]> {
  const entries: SessionEntry[] = [];
  let bytes = 0;
  const cursor = sessionHistory
    .find({ session_id })
    .sort({ timestamp: 1, _id: 1 })
    .skip(offset)
    .limit(limit)
    .lean<SessionEntry[]>()
    .cursor({ batchSize: 100 });
  for await (const entry of cursor) {
    bytes += Buffer.byteLength(JSON.stringify(entry));
    if (bytes > maxAnswerBytes && entries.length > 0) break;
    entries.push(entry as SessionEntry);
  }
  return entries;
}

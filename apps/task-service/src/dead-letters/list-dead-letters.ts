import type { DeadLetters, ListDeadLettersRequest } from '@claude-cli/proto/platform/v1/queues';
import type { Context } from '../context.ts';
import { toProto } from './dead-letter.ts';

/** Messages that are told. */
const shown = 100;

/** The newest of the messages that lie aside. */
export async function listDeadLetters(
  { deadLetters }: Context,
  _request: ListDeadLettersRequest,
): Promise<DeadLetters> {
  const newest = deadLetters.find({}, { content: 0, headers: 0 }).sort({ died_at: -1, _id: -1 }).limit(shown).lean();
  const [letters, total] = await Promise.all([newest, deadLetters.estimatedDocumentCount()]);
  return { messages: letters.map(toProto), total };
}

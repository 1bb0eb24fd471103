import type { ReplayDeadLettersRequest, ReplayedDeadLetters } from '@claude-cli/proto/platform/v1/queues';
import { PlatformError } from '@claude-cli/shared/errors';
import { isLate } from '@claude-cli/shared/grpc/interceptor';
import type { Call } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import type { DeadLetter } from './dead-letter.ts';
import { Resender } from './resender.ts';

// A message is marked, sent, and removed only if it still has the mark. One that dies again at once replaces the marked one
// and loses the mark, so it stays. Whoever dies between sending and removing leaves a message that can be sent again, when
// the mark is old.

/** Age from which a mark counts as left by a crash, in milliseconds. */
const leftAfterMs = 60_000;
/** Left of the time of the call when no further one is begun, in milliseconds, so that the answer arrives. */
const answerMs = 7_000;

/**
 * Send messages that lie aside to the queues in which they died, each at least once.
 * @throws PlatformError SERVICE_UNAVAILABLE when the broker is away
 */
export async function replayDeadLetters(
  ctx: Context,
  { ids }: ReplayDeadLettersRequest,
  call: Call,
): Promise<ReplayedDeadLetters> {
  await using resender = await Resender.open(ctx.bus);
  // What comes back is stored later.
  const asked = ids.length > 0 ? { _id: { $in: [...new Set(ids)] } } : { stored_at: { $lte: new Date() } };
  const letters = ctx.deadLetters.find(asked, { _id: 1 }).sort({ stored_at: 1 }).lean().cursor({ batchSize: 100 });
  let replayed_count = 0;
  for await (const { _id } of letters) {
    if (isLate(call, answerMs)) break;
    if (await replay(ctx, resender, _id)) replayed_count++;
  }
  ctx.log.info({ by: call.caller.user_id, replayed_count }, 'dead letters were sent again');
  return { replayed_count, replayed_at: new Date().toISOString() };
}

/** @returns whether its queue has it again */
async function replay({ deadLetters, log }: Context, resender: Resender, _id: string): Promise<boolean> {
  const mark = { token: newId(), at: new Date() };
  const letter = await deadLetters
    .findOneAndUpdate(
      {
        _id,
        replayable: true,
        $or: [{ replay: null }, { 'replay.at': { $lt: new Date(mark.at.getTime() - leftAfterMs) } }],
      },
      { $set: { replay: mark } },
      { returnDocument: 'after' },
    )
    .lean();
  if (!letter) return false;
  const marked = { _id, 'replay.token': mark.token };
  let taken = false;
  try {
    taken = await resender.send(queueOf(letter), letter);
  } finally {
    if (!taken) await deadLetters.updateOne(marked, { $set: { replay: null } });
  }
  if (!taken) {
    log.warn({ dead_letter: _id, queue: letter.queue }, 'there is no such queue, the dead letter stays');
    return false;
  }
  await deadLetters.deleteOne(marked);
  return true;
}

function queueOf({ queue }: DeadLetter): string {
  if (queue === null) throw new PlatformError('INTERNAL_SERVER_ERROR', 'The queue of the message is not known');
  return queue;
}

import { daysAgo, dropOutdated } from '@claude-cli/shared/retention';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import { Gauge } from 'prom-client';
import type { Context } from '../context.ts';

/** Messages that are kept; of more the oldest go. */
const maxKept = 10_000;

const kept = new Gauge({
  name: 'dead_letters',
  help: 'Messages that lie aside because no consumer could read or handle them; each replica tells all of them',
  registers: [metrics],
});

/** Count the dead letters, and drop the oldest when there are too many. */
export async function boundDeadLetters({ deadLetters, log }: Context, most = maxKept): Promise<void> {
  const total = await deadLetters.estimatedDocumentCount();
  const excess = total > most ? await drop(deadLetters, most) : 0;
  if (excess > 0) log.error({ dropped: excess, most }, 'the oldest dead letters are dropped');
  kept.set(total - excess);
}

/** Drop those that have lain aside for long. */
export async function dropOutdatedDeadLetters({ deadLetters, config }: Context, now = Date.now()): Promise<void> {
  const before = daysAgo(config.DEAD_LETTER_TTL_DAYS, now);
  await dropOutdated(deadLetters.collection, { field: 'stored_at', before });
}

async function drop(deadLetters: Context['deadLetters'], most: number): Promise<number> {
  const [last] = await deadLetters.find({}, { stored_at: 1 }).sort({ stored_at: -1 }).skip(most).limit(1).lean();
  if (!last) return 0;
  const { deletedCount } = await deadLetters.deleteMany({ stored_at: { $lte: last.stored_at } });
  return deletedCount;
}

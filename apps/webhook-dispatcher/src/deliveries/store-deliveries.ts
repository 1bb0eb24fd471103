import { Batches } from '@claude-cli/shared/batches';
import { inParallel } from '@claude-cli/shared/in-parallel';
import { insertEach, isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Context } from '../context.ts';
import type { Unstored } from '../dispatching/unstored.ts';
import type { Delivery, DeliveryModel } from './delivery.ts';

type Storing = Pick<Context, 'deliveries' | 'dispatcher' | 'handOver'>;

/**
 * Deliveries that are offered at once to be sent before they are stored, and how often at the same time: as many may come twice
 * when the process dies.
 */
const offered = 40;
const width = 2;
/** Deliveries are stored as they are answered, those of so many milliseconds by one command. */
const inserts = { gatherMs: 4, most: 500 };

/** A delivery that is to be stored. */
interface Item {
  delivery: Delivery;
  /** If it is sent before. */
  unstored: Unstored | undefined;
}

/**
 * Store new deliveries, each once, and have those sent that are due. Where it is possible at once, they are sent before they are
 * stored, so that one write tells of both. What is stored already, since this was done before by a process that perhaps died
 * half way, is handed over again unless it is settled.
 */
export async function storeDeliveries(ctx: Storing, deliveries: readonly Delivery[]): Promise<void> {
  // The same event may come twice at once.
  const all = [...new Map(deliveries.map((delivery) => [delivery._id, delivery])).values()];
  const count = Math.ceil(all.length / offered);
  const parts = Array.from({ length: count }, (_, n) => all.slice(n * offered, (n + 1) * offered));
  const inserting = new Batches<Item, Delivery | undefined>((items) => store(ctx, items), inserts);
  await inParallel(parts, width, async (some) => {
    const begun = await ctx.dispatcher.sendUnstored(await toBeSentFirst(ctx, some));
    const unstored = new Map(begun.map((each) => [each.delivery, each]));
    const add = async (delivery: Delivery) => {
      const sent = unstored.get(delivery);
      await sent?.ended;
      return inserting.add({ delivery, unstored: sent });
    };
    const stored = await Promise.all(some.map(add));
    await ctx.handOver(stored.flatMap((delivery) => (delivery?.status === 'pending' ? delivery : [])));
  });
}

/** @returns each as it is stored; undefined where it is not there any more */
async function store({ deliveries }: Storing, items: readonly Item[]): Promise<(Delivery | undefined)[]> {
  const documents = items.map(({ delivery, unstored }) => unstored?.close() ?? delivery);
  let present: ReadonlySet<string> = new Set();
  try {
    present = await insert(deliveries, documents);
  } finally {
    // If that failed, the event comes again.
    for (const { delivery, unstored } of items) unstored?.stored(present.has(delivery._id));
  }
  if (present.size === 0) return documents;
  const found = await deliveries.find({ _id: { $in: [...present] } }).lean<Delivery[]>();
  const earlier = new Map(found.map((delivery) => [delivery._id, delivery]));
  return documents.map((delivery) => (present.has(delivery._id) ? earlier.get(delivery._id) : delivery));
}

/** Those that may be sent before they are stored: none of them is stored already, or it would be sent twice for nothing. */
async function toBeSentFirst({ deliveries, dispatcher }: Storing, some: readonly Delivery[]): Promise<Delivery[]> {
  const suited = some.filter(
    ({ kind, status, webhook_id }) => kind === 'event' && status === 'pending' && dispatcher.sendsUnstored(webhook_id),
  );
  if (suited.length === 0) return [];
  const ids = suited.map(({ _id }) => _id);
  const found = deliveries.collection.find({ _id: { $in: ids } } as object, { projection: { _id: 1 } });
  const there = new Set((await found.toArray()).map(({ _id }) => String(_id)));
  return suited.filter(({ _id }) => !there.has(_id));
}

/** @returns the ids of those that were there already */
async function insert(deliveries: DeliveryModel, some: readonly Delivery[]): Promise<ReadonlySet<string>> {
  const errors = await insertEach(deliveries.collection, some);
  const failed = errors.find((error) => error && !isDuplicateKey(error));
  if (failed) throw failed;
  return new Set(some.filter((_, n) => errors[n]).map(({ _id }) => _id));
}

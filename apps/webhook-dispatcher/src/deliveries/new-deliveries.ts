import { Batches } from '@claude-cli/shared/batches';
import { insertEach, isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Dispatcher } from '../dispatching/dispatcher.ts';
import type { Unstored } from '../dispatching/unstored.ts';
import type { Delivery, DeliveryModel } from './delivery.ts';

/**
 * Deliveries that are offered at once to be sent before they are stored, and how often at the same time: as many may come twice
 * when the process dies. While some are being stored, others are being sent.
 */
const offers = { most: 40, width: 10 };
/** Deliveries are stored as they are answered, those of so many milliseconds by one command. */
const inserts = { gatherMs: 4, most: 500 };

/** A delivery that is to be stored. */
interface Item {
  delivery: Delivery;
  /** If it is sent before. */
  unstored: Unstored | undefined;
}

/** Stores new deliveries, each once, and has those sent that are due. */
export class NewDeliveries implements AsyncDisposable {
  readonly #deliveries: DeliveryModel;
  readonly #dispatcher: Pick<Dispatcher, 'sendsUnstored' | 'sendUnstored'>;
  readonly #handOver: (deliveries: readonly Delivery[]) => Promise<void>;
  readonly #offers = new Batches<() => Delivery, undefined>((some) => this.#offer(some.map((make) => make())), offers);
  readonly #inserts = new Batches<Item, Delivery | undefined>((items) => this.#insert(items), inserts);
  /** What is under way, by id. */
  readonly #underWay = new Map<string, Promise<void>>();

  /** @param handOver see {@link Dispatcher.handOver} */
  constructor(
    deliveries: DeliveryModel,
    dispatcher: Pick<Dispatcher, 'sendsUnstored' | 'sendUnstored'>,
    handOver: (deliveries: readonly Delivery[]) => Promise<void>,
  ) {
    this.#deliveries = deliveries;
    this.#dispatcher = dispatcher;
    this.#handOver = handOver;
  }

  /**
   * Store one, and have it sent. Where it is possible at once, it is sent before it is stored, so that one write tells of both. What
   * is stored already, since this was done before by a process that perhaps died half way, is handed over again unless it is
   * settled. Resolves when it is stored and sure to be sent.
   * @param make it, once it is its turn: its body may be large, and many may wait
   */
  storeOne(id: string, make: () => Delivery): Promise<void> {
    // The same event may come twice at once.
    const known = this.#underWay.get(id);
    if (known) return known;
    const storing = this.#offers.add(make).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, storing);
    return storing;
  }

  /** The same for some that are made already. */
  async store(deliveries: readonly Delivery[]): Promise<void> {
    await Promise.all(deliveries.map((delivery) => this.storeOne(delivery._id, () => delivery)));
  }

  /** Waits for what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#offers[Symbol.asyncDispose]();
    await this.#inserts[Symbol.asyncDispose]();
  }

  async #offer(some: readonly Delivery[]): Promise<undefined[]> {
    const begun = await this.#dispatcher.sendUnstored(await this.#toBeSentFirst(some));
    const unstored = new Map(begun.map((each) => [each.delivery, each]));
    const insert = async (delivery: Delivery) => {
      const sent = unstored.get(delivery);
      await sent?.ended;
      return this.#inserts.add({ delivery, unstored: sent });
    };
    const stored = await Promise.all(some.map(insert));
    await this.#handOver(stored.flatMap((delivery) => (delivery?.status === 'pending' ? delivery : [])));
    return some.map(() => undefined);
  }

  /** Those that may be sent before they are stored: none of them is stored already, or it would be sent twice for nothing. */
  async #toBeSentFirst(some: readonly Delivery[]): Promise<Delivery[]> {
    const suited = some.filter(
      ({ kind, status, webhook_id }) =>
        kind === 'event' && status === 'pending' && this.#dispatcher.sendsUnstored(webhook_id),
    );
    if (suited.length === 0) return [];
    const ids = suited.map(({ _id }) => _id);
    const found = this.#deliveries.collection.find({ _id: { $in: ids } } as object, { projection: { _id: 1 } });
    const there = new Set((await found.toArray()).map(({ _id }) => String(_id)));
    return suited.filter(({ _id }) => !there.has(_id));
  }

  /** @returns each as it is stored; undefined where it is not there any more */
  async #insert(items: readonly Item[]): Promise<(Delivery | undefined)[]> {
    const documents = items.map(({ delivery, unstored }) => unstored?.close() ?? delivery);
    let present: ReadonlySet<string> = new Set();
    try {
      present = await insert(this.#deliveries, documents);
    } finally {
      // If that failed, the event comes again.
      for (const { delivery, unstored } of items) unstored?.stored(present.has(delivery._id));
    }
    if (present.size === 0) return documents;
    const found = await this.#deliveries.find({ _id: { $in: [...present] } }).lean<Delivery[]>();
    const earlier = new Map(found.map((delivery) => [delivery._id, delivery]));
    return documents.map((delivery) => (present.has(delivery._id) ? earlier.get(delivery._id) : delivery));
  }
}

/** @returns the ids of those that were there already */
async function insert(deliveries: DeliveryModel, some: readonly Delivery[]): Promise<ReadonlySet<string>> {
  const errors = await insertEach(deliveries.collection, some);
  const failed = errors.find((error) => error && !isDuplicateKey(error));
  if (failed) throw failed;
  return new Set(some.filter((_, n) => errors[n]).map(({ _id }) => _id));
}

import { Batches } from '@claude-cli/shared/batches';
import { Limiter } from '@claude-cli/shared/limiter';
import { insertEach, isDuplicateKey } from '@claude-cli/shared/mongo';
import type { Dispatcher } from '../dispatching/dispatcher.ts';
import type { Unstored } from '../dispatching/unstored.ts';
import type { Delivery, DeliveryModel } from './delivery.ts';

/** Deliveries that are made, sent and stored at once: as many may come twice when the process dies. */
const most = 600;
/** Deliveries that are offered together to be sent before they are stored, and how often at the same time. */
const offers = { most: 200, width: 4, pace: { everyMs: 20, burst: 10 } };
/** Deliveries are stored as they are answered, those of so many milliseconds by one command; the next gather while they are. */
const inserts = { gatherMs: 20, most: 500, width: 2 };

/** A delivery that is to be stored. */
interface Item {
  delivery: Delivery;
  /** If it is sent before. */
  unstored: Unstored | undefined;
}

/** What comes of storing one. */
interface Stored {
  /** Resolves when all that were stored with it are sure to be sent. */
  handedOver: Promise<void>;
}

/** Stores new deliveries, each once, and has those sent that are due. */
export class NewDeliveries implements AsyncDisposable {
  readonly #deliveries: DeliveryModel;
  readonly #dispatcher: Pick<Dispatcher, 'sendsUnstored' | 'sendUnstored'>;
  readonly #handOver: (deliveries: readonly Delivery[]) => Promise<void>;
  readonly #limiter = new Limiter(most);
  readonly #offers = new Batches<Delivery, Unstored | undefined>((some) => this.#offer(some), offers);
  readonly #inserts = new Batches<Item, Stored>((items) => this.#insert(items), inserts);
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
    const storing = this.#limiter.run(1, () => this.#storeNew(make())).finally(() => this.#underWay.delete(id));
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
    await Promise.allSettled(this.#underWay.values());
  }

  async #storeNew(delivery: Delivery): Promise<void> {
    const unstored = await this.#offers.add(delivery);
    await unstored?.ended;
    const { handedOver } = await this.#inserts.add({ delivery, unstored });
    await handedOver;
  }

  /** @returns each as it is being sent; undefined where it is to be stored first */
  async #offer(some: readonly Delivery[]): Promise<(Unstored | undefined)[]> {
    const begun = await this.#dispatcher.sendUnstored(await this.#toBeSentFirst(some));
    const unstored = new Map(begun.map((each) => [each.delivery, each]));
    return some.map((delivery) => unstored.get(delivery));
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

  async #insert(items: readonly Item[]): Promise<Stored[]> {
    const stored = await this.#store(items);
    const handedOver = this.#handOver(stored.filter(({ status }) => status === 'pending'));
    // Should that fail, it fails for each of them.
    handedOver.catch(() => {});
    return items.map(() => ({ handedOver }));
  }

  /** @returns them as they are stored, without those that are not there any more */
  async #store(items: readonly Item[]): Promise<Delivery[]> {
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
    return [...documents.filter(({ _id }) => !present.has(_id)), ...found];
  }
}

/** @returns the ids of those that were there already */
async function insert(deliveries: DeliveryModel, some: readonly Delivery[]): Promise<ReadonlySet<string>> {
  const errors = await insertEach(deliveries.collection, some);
  const failed = errors.find((error) => error && !isDuplicateKey(error));
  if (failed) throw failed;
  return new Set(some.filter((_, n) => errors[n]).map(({ _id }) => _id));
}

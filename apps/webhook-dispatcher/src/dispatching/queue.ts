import type { Delivery, DeliveryModel } from '../deliveries/delivery.ts';
import type { Webhook } from '../webhooks/webhook.ts';

/**
 * The deliveries of an endpoint as far as its turn holds them: those that are ready to be sent, and those that are busy, from
 * the request until the result is stored. The rest is in the database, and looked for when there may be some.
 */
export class Queue {
  readonly #deliveries: DeliveryModel;
  readonly #webhookId: string;
  #ready: Delivery[] = [];
  readonly #held = new Set<string>();
  #mayHaveMore: boolean;
  #nextDue: Date | null = null;
  #fetching = false;
  #taken = 0;
  /** Ids that were handed over anew while they were held: what is held of them is old. */
  readonly #changed = new Set<string>();
  /** Ids that were settled while deliveries were being read: what was read of them is old. */
  readonly #settledMeanwhile = new Set<string>();
  /** What others said of additions: as heard last, and as heard before deliveries were read last. */
  #news: number;
  #newsSeen: number;

  /** @param webhook as it was when the turn began */
  constructor(deliveries: DeliveryModel, { _id, endpoint }: Pick<Webhook, '_id' | 'endpoint'>) {
    this.#deliveries = deliveries;
    this.#webhookId = _id;
    this.#mayHaveMore = endpoint.waited;
    this.#news = endpoint.news;
    this.#newsSeen = endpoint.news;
  }

  /** How many can be sent. */
  get ready(): number {
    return this.#ready.length;
  }

  /** How many are held. */
  get size(): number {
    return this.#held.size;
  }

  /** How many are being sent, or are sent and not yet stored. */
  get busy(): number {
    return this.#held.size - this.#ready.length;
  }

  /** How many were taken so far, to be sent. */
  get taken(): number {
    return this.#taken;
  }

  /** Count of additions that were looked for. */
  get newsSeen(): number {
    return this.#newsSeen;
  }

  /** Whether nothing is held, and nothing due is left in the database. */
  get isEmpty(): boolean {
    return this.#held.size === 0 && !this.#fetching && !this.#lacks();
  }

  /** Deliveries that are stored and due. Those for which there is no room are looked for later. */
  add(deliveries: readonly Delivery[], room: number): void {
    const more = deliveries.filter(({ _id }) => !this.#held.has(_id));
    for (const { _id } of deliveries) if (this.#held.has(_id)) this.#changed.add(_id);
    const taken = more.slice(0, Math.max(0, room));
    if (taken.length < more.length) this.#mayHaveMore = true;
    this.#hold(taken);
  }

  /** Deliveries that are not stored: taken as far as there is room and nothing that is stored waits. @returns those taken */
  offer(deliveries: readonly Delivery[], room: number): readonly Delivery[] {
    if (this.#lacks() || this.#fetching) return [];
    const taken = deliveries.filter(({ _id }) => !this.#held.has(_id)).slice(0, Math.max(0, room));
    this.#hold(taken);
    return taken;
  }

  /** The one that is due first. It stays held until it is settled. */
  next(): Delivery {
    const delivery = this.#ready.shift();
    if (!delivery) throw new Error('nothing is ready');
    this.#taken++;
    return delivery;
  }

  /** The result of one is stored. @param nextAttemptAt when it is to be sent again */
  settled(id: string, nextAttemptAt: Date | null): void {
    this.#held.delete(id);
    if (this.#fetching) this.#settledMeanwhile.add(id);
    if (this.#changed.delete(id)) this.#mayHaveMore = true;
    if (nextAttemptAt) this.#dueLater(nextAttemptAt);
  }

  /** One is not sent after all: it is still in the database as it was. */
  giveBack(id: string): void {
    this.#held.delete(id);
    this.#changed.delete(id);
    this.#mayHaveMore = true;
  }

  /** Others have added so many. */
  heard(news: number): void {
    if (news === this.#news) return;
    this.#news = news;
    this.#mayHaveMore = true;
  }

  /** When the first of those is due that are not being sent; undefined: there are none. */
  dueAt(): Date | undefined {
    if (this.#ready.length > 0 || this.#mayHaveMore) return new Date();
    return this.#nextDue ?? undefined;
  }

  /** Look for what is due, unless that goes on or there is nothing. @returns undefined when it is not looked for */
  fetch(limit: number): Promise<void> | undefined {
    if (this.#fetching || !this.#lacks()) return undefined;
    this.#fetching = true;
    this.#settledMeanwhile.clear();
    return this.#read(limit).finally(() => {
      this.#fetching = false;
    });
  }

  #lacks(): boolean {
    return this.#mayHaveMore || (this.#nextDue !== null && this.#nextDue.getTime() <= Date.now());
  }

  async #read(limit: number): Promise<void> {
    const news = this.#news;
    this.#mayHaveMore = false;
    this.#nextDue = null;
    const found = await this.#deliveries
      .find({ webhook_id: this.#webhookId, status: 'pending', _id: { $nin: [...this.#held] } })
      .sort({ next_attempt_at: 1 })
      .limit(limit)
      .lean()
      .catch((error) => {
        this.#mayHaveMore = true;
        throw error;
      });
    this.#newsSeen = news;
    const now = Date.now();
    const due = found.filter(({ next_attempt_at }) => (next_attempt_at?.getTime() ?? 0) <= now);
    const later = found[due.length]?.next_attempt_at;
    if (later) this.#dueLater(later);
    // With one that is due later, or fewer than could be, these were all.
    if (due.length === limit) this.#mayHaveMore = true;
    this.#hold(due.filter(({ _id }) => !this.#held.has(_id) && !this.#settledMeanwhile.has(_id)));
  }

  #dueLater(at: Date): void {
    if (this.#nextDue === null || at < this.#nextDue) this.#nextDue = at;
  }

  #hold(deliveries: readonly Delivery[]): void {
    for (const delivery of deliveries) {
      this.#held.add(delivery._id);
      this.#ready.push(delivery);
    }
  }
}

import { Batches } from '@claude-cli/shared/batches';
import type { AnyBulkWriteOperation, mongo } from 'mongoose';
import type { Webhook, WebhookModel } from '../webhooks/webhook.ts';
import type { Endpoint } from './endpoint.ts';

/** What of a webhook tells whether its turn goes on as it is. */
export type EndpointNews = Pick<Webhook, '_id' | 'version' | 'status' | 'deleted_at'> & { endpoint: Endpoint };

/** An endpoint that is to be served no longer. */
interface Release {
  id: string;
  token: string;
  /** What the holder knew when it last looked for deliveries: with more of them it is not given up. */
  news: number;
  /** When it has something to send; undefined: nothing waits. */
  claimableAt: Date | undefined;
}

/** Endpoints that are given up together. */
const releasedAtOnce = 500;

/** The queries about endpoints. All of them are written without a new version of the webhook: nobody else sees them. */
export class EndpointStore {
  readonly #webhooks: WebhookModel;
  readonly #stored: mongo.Collection<Webhook>;
  readonly #releases = new Batches<Release, boolean>((some) => this.#releaseAll(some), { most: releasedAtOnce });

  constructor(webhooks: WebhookModel) {
    this.#webhooks = webhooks;
    // Pipelines as updates are the driver's; mongoose would cast them.
    this.#stored = webhooks.collection as unknown as mongo.Collection<Webhook>;
  }

  /** Endpoints with something to send that nobody serves. @returns ids, those that wait longest first */
  async due(now: Date, limit: number): Promise<string[]> {
    const found = await this.#webhooks
      .find({ status: 'active', deleted_at: null, 'endpoint.claimable_at': { $lte: now } })
      .sort({ 'endpoint.claimable_at': 1 })
      .limit(limit)
      .select({ _id: 1 })
      .lean();
    return found.map(({ _id }) => _id);
  }

  /**
   * There is something to send to each of these: take those that are free and do not rest, and leave word for the others.
   * @param token names this claim, and no other
   * @returns those that were taken
   */
  async take(ids: readonly string[], token: string, now: Date, leaseUntil: Date): Promise<Webhook[]> {
    const mayTake = {
      $and: [
        { $eq: ['$status', 'active'] },
        { $eq: [{ $ifNull: ['$deleted_at', null] }, null] },
        { $or: [{ $not: [isHeld] }, { $lte: ['$endpoint.claimable_at', now] }] },
        { $lte: [{ $ifNull: ['$endpoint.rests_until', now] }, now] },
      ],
    };
    const left = { $cond: [isHeld, '$endpoint.claimable_at', earliest(now)] };
    const update = {
      'endpoint.holder': { $cond: [mayTake, token, { $ifNull: ['$endpoint.holder', null] }] },
      'endpoint.claimable_at': { $cond: [mayTake, leaseUntil, left] },
      'endpoint.waited': { $ne: [{ $ifNull: ['$endpoint.claimable_at', null] }, null] },
      'endpoint.news': { $add: ['$endpoint.news', { $cond: [mayTake, 0, 1] }] },
    };
    const [only] = ids;
    if (ids.length === 1 && only !== undefined) {
      const after = { returnDocument: 'after' } as const;
      const webhook = await this.#stored.findOneAndUpdate({ _id: only }, [{ $set: update }], after);
      return webhook?.endpoint.holder === token ? [webhook as Webhook] : [];
    }
    await this.#update(ids, update);
    return await this.#webhooks.find({ _id: { $in: [...ids] }, 'endpoint.holder': token }).lean();
  }

  /** There is something to send to each of these: leave word for whoever serves them now or next. */
  async announce(ids: readonly string[], now: Date): Promise<void> {
    await this.#update(ids, {
      'endpoint.claimable_at': { $cond: [isHeld, '$endpoint.claimable_at', earliest(now)] },
      'endpoint.news': { $add: ['$endpoint.news', 1] },
    });
  }

  /** Whatever failed before says nothing any more: it is tried as if it were new. */
  async forgive(id: string, now: Date): Promise<void> {
    const clean = { failing_since: null, 'endpoint.failures': 0, 'endpoint.rests_until': null };
    await this.#webhooks.updateOne({ _id: id }, { $set: clean } as object, { timestamps: false });
    // What waits for the end of the rest is due now, or has its time found out.
    await this.#webhooks.updateOne(
      { _id: id, 'endpoint.holder': null, 'endpoint.claimable_at': { $gt: now } },
      { $set: { 'endpoint.claimable_at': now } } as object,
      { timestamps: false },
    );
  }

  /** Hold these for longer. */
  async renew(tokens: ReadonlyMap<string, string>, leaseUntil: Date): Promise<void> {
    const held = { _id: { $in: [...tokens.keys()] }, 'endpoint.holder': { $in: [...new Set(tokens.values())] } };
    await this.#webhooks.updateMany(held, { $set: { 'endpoint.claimable_at': leaseUntil } }, { timestamps: false });
  }

  /** What became of these. */
  async news(ids: readonly string[]): Promise<EndpointNews[]> {
    return await this.#webhooks
      .find({ _id: { $in: [...ids] } })
      .select({ version: 1, status: 1, deleted_at: 1, endpoint: 1 })
      .lean();
  }

  /** Serve it no longer. @returns whether it was given up */
  release(release: Release): Promise<boolean> {
    return this.#releases.add(release);
  }

  async #releaseAll(some: readonly Release[]): Promise<boolean[]> {
    const { matchedCount } = await this.#webhooks.bulkWrite(some.map(updateOf), { ordered: false, timestamps: false });
    if (matchedCount === some.length) return some.map(() => true);
    const ids = some.map(({ id }) => id);
    const tokens = new Set(some.map(({ token }) => token));
    const kept = await this.#webhooks
      .find({ _id: { $in: ids }, 'endpoint.holder': { $in: [...tokens] } })
      .select({ 'endpoint.holder': 1 })
      .lean();
    const holders = new Map(kept.map(({ _id, endpoint }) => [_id, endpoint.holder]));
    return some.map(({ id, token }) => holders.get(id) !== token);
  }

  async #update(ids: readonly string[], set: Record<string, unknown>): Promise<void> {
    await this.#stored.updateMany({ _id: { $in: [...ids] } }, [{ $set: set }]);
  }
}

const isHeld = { $ne: [{ $ifNull: ['$endpoint.holder', null] }, null] };

/** When it may be taken with something more to send, due now. Absent fields count for nothing. */
function earliest(now: Date) {
  return { $min: ['$endpoint.claimable_at', { $max: [now, '$endpoint.rests_until'] }] };
}

function updateOf({ id, token, news, claimableAt }: Release): AnyBulkWriteOperation<Webhook> {
  const filter = { _id: id, 'endpoint.holder': token, 'endpoint.news': news };
  const update = claimableAt
    ? { $set: { 'endpoint.holder': null, 'endpoint.claimable_at': claimableAt } }
    : { $set: { 'endpoint.holder': null }, $unset: { 'endpoint.claimable_at': 1 } };
  return { updateOne: { filter, update } } as AnyBulkWriteOperation<Webhook>;
}

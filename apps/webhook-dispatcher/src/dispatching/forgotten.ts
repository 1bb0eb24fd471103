import type { Context } from '../context.ts';
import { cancelWaiting } from '../deliveries/cancel-waiting.ts';
import type { CancelReason } from '../deliveries/delivery.ts';
import { EndpointStore } from './endpoint-store.ts';
import { backlog } from './metrics.ts';

/** Webhooks that one look takes. */
const most = 100;
/** Deliveries that wait are counted up to so many. */
const countedUpTo = 100_000;

/**
 * A look at webhooks whose deliveries wait, from where the last one ended: a process may have died between storing
 * deliveries and telling so, or between stopping a webhook and cancelling what waits.
 */
export class Forgotten {
  readonly #ctx: Pick<Context, 'webhooks' | 'deliveries' | 'log'>;
  readonly #endpoints: EndpointStore;
  #after = '';

  constructor(ctx: Pick<Context, 'webhooks' | 'deliveries' | 'log'>) {
    this.#ctx = ctx;
    this.#endpoints = new EndpointStore(ctx.webhooks);
  }

  /** Have sent, or cancelled, what was forgotten of the next webhooks. */
  async look(): Promise<void> {
    const ids = await this.#nextIds();
    const webhooks = await this.#ctx.webhooks
      .find({ _id: { $in: ids } })
      .select({ status: 1, deleted_at: 1, endpoint: 1 })
      .lean();
    const forgotten = webhooks.filter(
      ({ status, deleted_at, endpoint }) => status === 'active' && deleted_at === null && !endpoint.claimable_at,
    );
    if (forgotten.length > 0)
      await this.#endpoints.announce(
        forgotten.map(({ _id }) => _id),
        new Date(),
      );
    for (const { _id, status, deleted_at } of webhooks) {
      const reason: CancelReason | undefined = deleted_at ? 'deleted' : status === 'active' ? undefined : status;
      if (reason) await cancelWaiting(this.#ctx, _id, reason);
    }
    backlog.set(await this.#ctx.deliveries.countDocuments({ status: 'pending' }, { limit: countedUpTo }));
  }

  /** Each step skips the other deliveries of a webhook by the index. */
  async #nextIds(): Promise<string[]> {
    const ids: string[] = [];
    while (ids.length < most) {
      const next = await this.#ctx.deliveries
        .findOne({ status: 'pending', webhook_id: { $gt: this.#after } })
        .sort({ webhook_id: 1, next_attempt_at: 1 })
        .select({ webhook_id: 1 })
        .lean();
      this.#after = next?.webhook_id ?? '';
      if (!next) break;
      ids.push(next.webhook_id);
    }
    return ids;
  }
}

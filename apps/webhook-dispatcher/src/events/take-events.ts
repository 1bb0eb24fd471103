import { Batches } from '@claude-cli/shared/batches';
import { eventPattern } from '@claude-cli/shared/event-routing';
import { type DeliverableEvent, deliverableTypes, isDeliverable } from '@claude-cli/shared/webhooks/catalog';
import type { Context } from '../context.ts';
import { newDelivery } from '../deliveries/delivery.ts';
import { deliveryIdOf } from '../deliveries/delivery-id.ts';
import { type Candidate, matchesOf } from './match.ts';
import { type Told, toldOf } from './payload.ts';

/** Events that are matched together at most. */
const most = 200;
/** Messages that are read, and events that are handled, at once: while some are matched, deliveries of others are sent and stored. */
const prefetch = 3 * most;
/** How often events are matched, unless there are many: a question costs the same whether one event is asked about or fifty. */
const pace = { everyMs: 50, burst: 8 };

/** Makes events deliveries, one per webhook that is to be told. */
export class Deliverer implements AsyncDisposable {
  readonly #ctx: Context;
  readonly #matches: Batches<DeliverableEvent, Concerned>;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#matches = new Batches((events) => concernedBy(ctx, events), { most, pace });
  }

  /** Resolves when the deliveries of an event are stored and sure to be sent. Rejects when it is not as it should be. */
  async deliver(event: DeliverableEvent): Promise<void> {
    const { newDeliveries, config } = this.#ctx;
    const { told, webhooks } = await this.#matches.add(event);
    const { id: event_id, project_id, traceparent } = event;
    const now = new Date();
    const storing = webhooks.map((webhook) => {
      const source = { webhook, kind: 'event', event_id, project_id, told, traceparent } as const;
      const make = () => newDelivery(source, now, config.DELIVERY_TTL_DAYS);
      return newDeliveries.storeOne(deliveryIdOf(event_id, webhook._id), make);
    });
    await Promise.all(storing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#matches[Symbol.asyncDispose]();
  }
}

/**
 * Take events and make each a delivery per webhook that is to be told of it. An event is acknowledged after its deliveries are
 * stored and sure to be sent, so whoever dies before has it matched again, which is harmless: the id of a delivery is made
 * of event and webhook.
 */
export async function takeEvents(ctx: Context): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const deliverer = stack.use(new Deliverer(ctx));
  stack.use(
    await ctx.bus.subscribe<DeliverableEvent>(
      {
        queue: ctx.bus.names.serviceQueue('webhook-dispatcher.events'),
        exchange: 'events',
        patterns: deliverableTypes.map((type) => eventPattern(type)),
        prefetch,
        atOnce: prefetch,
      },
      (event) => deliverer.deliver(event),
    ),
  );
  return stack.move();
}

/** What is told of an event, and to which webhooks. */
interface Concerned {
  told: Told;
  webhooks: Candidate[];
}

/** For each event who is told of it, or the error that it fails by itself with. */
async function concernedBy(ctx: Context, events: readonly DeliverableEvent[]): Promise<(Concerned | Error)[]> {
  const results = events.map((event) => ({ event, told: tell(event) }));
  const sound = results.flatMap(({ event, told }) => (told instanceof Error ? [] : event));
  // Whoever was taken out of a project is told of nothing that comes after the news of it.
  for (const event of sound) ctx.audience.forget(event);
  const matches = Map.groupBy(await matchesOf(ctx, sound), ({ event }) => event);
  return results.map(({ event, told }) => {
    if (told instanceof Error) return told;
    return { told, webhooks: matches.get(event)?.map(({ webhook }) => webhook) ?? [] };
  });
}

/** An event that is not as it should be fails alone, not those that happen to be matched with it. */
function tell(event: DeliverableEvent): Told | Error {
  try {
    return isDeliverable(event.type) ? toldOf(event) : new Error('events of this type cannot be delivered');
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

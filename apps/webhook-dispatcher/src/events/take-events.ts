import { Batches } from '@claude-cli/shared/batches';
import { eventPattern } from '@claude-cli/shared/event-routing';
import { type DeliverableEvent, deliverableTypes, isDeliverable } from '@claude-cli/shared/webhooks/catalog';
import type { Context } from '../context.ts';
import { newDelivery } from '../deliveries/delivery.ts';
import { storeDeliveries } from '../deliveries/store-deliveries.ts';
import { matchesOf } from './match.ts';
import { type Told, toldOf } from './payload.ts';

/** Events that are matched together at most; twice as many are taken from the queue at once. */
const most = 200;
/** How often events are matched, unless there are many: a question costs the same whether one event is asked about or fifty. */
const pace = { everyMs: 50, burst: 8 };

/**
 * Take events and make each a delivery per webhook that is to be told of it. An event is acknowledged after its deliveries are
 * stored and sure to be sent, so whoever dies before has it matched again, which is harmless: the id of a delivery is made
 * of event and webhook.
 */
export async function takeEvents(ctx: Context): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const batches = stack.use(
    new Batches<DeliverableEvent, void>((events) => deliverEvents(ctx, events), { most, pace }),
  );
  stack.use(
    await ctx.bus.subscribe<DeliverableEvent>(
      {
        queue: ctx.bus.names.serviceQueue('webhook-dispatcher.events'),
        exchange: 'events',
        patterns: deliverableTypes.map((type) => eventPattern(type)),
        // Another batch gathers while one is under way.
        prefetch: 2 * most,
      },
      (event) => batches.add(event),
    ),
  );
  return stack.move();
}

/**
 * Make each event a delivery per webhook that is to be told of it.
 * @returns for each event the error that it failed by itself with, if it did
 */
export async function deliverEvents(ctx: Context, events: readonly DeliverableEvent[]): Promise<(Error | undefined)[]> {
  const results = new Map(events.map((event) => [event, tell(event)]));
  const told = new Map([...results].filter((entry): entry is [DeliverableEvent, Told] => !(entry[1] instanceof Error)));
  // Whoever was taken out of a project is told of nothing that comes after the news of it.
  for (const event of told.keys()) ctx.audience.forget(event);
  const now = new Date();
  const matches = await matchesOf(ctx, [...told.keys()]);
  const deliveries = matches.map(({ event, webhook }) => {
    const { id: event_id, project_id, traceparent } = event;
    const source = { event_id, project_id, told: told.get(event) ?? toldOf(event), traceparent };
    return newDelivery({ webhook, kind: 'event', ...source }, now, ctx.config.DELIVERY_TTL_DAYS);
  });
  await storeDeliveries(ctx, deliveries);
  return [...results.values()].map((result) => (result instanceof Error ? result : undefined));
}

/** An event that is not as it should be fails alone, not those that happen to be matched with it. */
function tell(event: DeliverableEvent): Told | Error {
  try {
    return isDeliverable(event.type) ? toldOf(event) : new Error('events of this type cannot be delivered');
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

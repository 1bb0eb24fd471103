import { type DeliverableEvent, subscriptionsTo } from '@claude-cli/shared/webhooks/catalog';
import type { Context } from '../context.ts';
import type { Webhook } from '../webhooks/webhook.ts';

/** How long events are recorded for a webhook that is not active, in milliseconds from when it was stopped. */
export const recordedMs = 7 * 24 * 3_600_000;

/** What of a webhook decides whether it is told of an event. */
export type Candidate = Pick<Webhook, '_id' | 'owner_id' | 'project_id' | 'events' | 'status' | 'inactive_since'>;

/** An event and a webhook that is to be told of it, or for which it is recorded. */
export interface Match {
  event: DeliverableEvent;
  webhook: Candidate;
}

const fields = { owner_id: 1, project_id: 1, events: 1, status: 1, inactive_since: 1 } as const;

/**
 * Who is to be told of events. Asked of the store each time: a webhook that was created before an event is told of it, however
 * short the time between.
 */
export async function matchesOf(ctx: Context, events: readonly DeliverableEvent[]): Promise<Match[]> {
  const candidates = await candidatesFor(ctx, events);
  const pairs = events.flatMap((event) =>
    candidates.filter((webhook) => concerns(event, webhook)).map((webhook): Match => ({ event, webhook })),
  );
  const concerned = [...new Set(pairs.map(({ event }) => event))];
  const mayKnow = await ctx.audience.of(concerned, new Set(pairs.map(({ webhook }) => webhook.owner_id)));
  return pairs.filter(({ event, webhook }) => mayKnow(event, webhook.owner_id));
}

/** The query for webhooks that any of the events may concern. */
export function candidatesFor({ webhooks }: Pick<Context, 'webhooks'>, events: readonly DeliverableEvent[]) {
  const projects = new Set(events.map(({ project_id }) => project_id));
  const subscriptions = new Set(events.flatMap(({ type }) => subscriptionsTo(type)));
  const filter = {
    project_id: { $in: [...projects.add(null)] },
    events: { $in: [...subscriptions] },
    deleted_at: null,
  };
  return webhooks.find(filter, fields).lean<Candidate[]>();
}

/** Whether a webhook asks for an event and is recorded for, whatever its owner may know. */
export function concerns(event: DeliverableEvent, webhook: Candidate, now = Date.now()): boolean {
  const { project_id, events, inactive_since } = webhook;
  if (project_id !== null && project_id !== event.project_id) return false;
  if (!subscriptionsTo(event.type).some((subscription) => events.includes(subscription))) return false;
  if ('webhook_id' in event.data && event.data.webhook_id === webhook._id) return false;
  return inactive_since === null || now - inactive_since.getTime() < recordedMs;
}

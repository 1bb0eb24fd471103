import { isAdmin } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent, PlatformEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';
import { errorMessage } from '../messages/encoded.ts';
import type { Subscriber } from './hub.ts';
import { end } from './ledger.ts';
import { describe } from './subscription.ts';

/** An event that changes who may see a project. */
export type ProjectEvent = PlatformEvent<'project.created' | 'project.updated' | 'project.deleted'>;

/** Whether an event may change who may see a project. */
export function isProjectEvent(event: AnyEvent): event is Extract<AnyEvent, ProjectEvent> {
  return event.type.startsWith('project.');
}

/** Checks that run at once. */
const atOnce = 16;

/** Ask again for those subscribers that a project's event may have shut out. */
export function recheckAfter(ctx: Context, event: ProjectEvent): void {
  const projectId = event.project_id;
  if (projectId === null) return;
  ctx.access.forget(event);
  const deleted = event.type === 'project.deleted';
  const members = new Set(event.data.member_ids);
  for (const subscriber of ctx.hub.subscribers()) {
    const { caller } = subscriber.origin;
    const stays = !deleted && (isAdmin(caller) || members.has(caller.user_id));
    // The event says that access is lost; only an answer that it is not (the event may be an old one) keeps the subscription.
    if (!stays && projectsOf(ctx, subscriber).has(projectId)) void recheck(ctx, subscriber, projectId, () => true);
  }
}

/** Ask again for one subscriber, whose role may have changed. */
export async function recheckSubscriber(ctx: Context, subscriber: Subscriber): Promise<void> {
  const checks = [...projectsOf(ctx, subscriber)].map((id) => recheck(ctx, subscriber, id, isRefusal));
  await Promise.all(checks);
}

/** Ask again for everybody: for what no event told. */
export async function recheckAll(ctx: Context): Promise<void> {
  const due = ctx.hub
    .subscribers()
    .flatMap((subscriber) => [...projectsOf(ctx, subscriber)].map((projectId) => ({ subscriber, projectId })));
  const work = due.values();
  const worker = async () => {
    for (const { subscriber, projectId } of work) await recheck(ctx, subscriber, projectId, isRefusal);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function projectsOf(ctx: Context, subscriber: Subscriber): Set<string> {
  return new Set(ctx.hub.of(subscriber).flatMap(({ subscription }) => subscription.projectId ?? []));
}

/** Whether an error says that access is lost, and not just that nobody could tell. */
function isRefusal(error: PlatformError): boolean {
  return error.code === 'PROJECT_ACCESS_DENIED' || error.code === 'PROJECT_NOT_FOUND';
}

async function recheck(
  ctx: Context,
  subscriber: Subscriber,
  projectId: string,
  isLost: (error: PlatformError) => boolean,
): Promise<void> {
  try {
    await ctx.access.check(projectId, subscriber.origin);
  } catch (thrown) {
    if (!isLost(PlatformError.from(thrown))) return;
    for (const { subscription, topic } of ctx.hub.of(subscriber)) {
      if (subscription.projectId !== projectId) continue;
      void end(ctx, subscriber, topic);
      const details = { ...describe(subscription), project_id: projectId };
      const error = new PlatformError('PROJECT_ACCESS_DENIED', 'Access to the project was lost', details);
      subscriber.send(errorMessage(error));
      if (ctx.hub.of(subscriber).length === 0) subscriber.bereft?.(error);
    }
  }
}

import { eventPattern } from '@claude-cli/shared/event-routing';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Context } from '../context.ts';

/** Forget what callers may do in a project when the project changes. */
export function forgetAccess(ctx: Context): Promise<AsyncDisposable> {
  const subscription = { exchange: 'events', patterns: [eventPattern('project')], prefetch: 100 } as const;
  return ctx.bus.subscribe<AnyEvent>(subscription, async (event) => ctx.access.forget(event));
}

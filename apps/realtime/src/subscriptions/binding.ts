import type { Scope } from '../log/scope.ts';

/** What the queue of this process is bound to: an exchange and a routing pattern on it. */
export interface Binding {
  exchange: 'events' | 'live';
  pattern: string;
}

/** Events as the services tell them. */
export function onEvents(pattern: string): Binding {
  return { exchange: 'events', pattern };
}

/** What happens in a scope, with numbers. */
export function onLive(scope: Scope): Binding {
  return { exchange: 'live', pattern: scope };
}

/** Name of a binding: equal for equal ones. */
export function nameOf({ exchange, pattern }: Binding): string {
  return `${exchange} ${pattern}`;
}

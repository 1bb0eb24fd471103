import type { AnyEvent } from '@claude-cli/shared/events';
import { countOf } from '../messages/of-event.ts';
import type { Position } from '../streams/item.ts';
import type { LogEntry } from './log-store.ts';
import { type Scope, scopeOf, slim } from './scope.ts';

/** A numbered event that is not stored yet. */
export type NewEntry = Omit<LogEntry, 'expires_at'>;

/** A batch of events with their numbers. */
export interface Numbered {
  /** All of the batch that belong to a scope, each once, in order. */
  entries: NewEntry[];
  /** Those of them that were not in the log. */
  fresh: NewEntry[];
  /** How far the scopes of the fresh ones come by them. */
  heads: Map<Scope, Position>;
}

/**
 * Give numbers to events: those in the log keep theirs, the others follow on their scope's head in the order in which
 * they came. Without holes: in an epoch, an event begins where the one before it ends.
 * @param heads of all scopes of the batch
 */
export function numberEvents(
  events: readonly AnyEvent[],
  known: ReadonlyMap<string, NewEntry>,
  heads: ReadonlyMap<Scope, Position>,
): Numbered {
  const numbered: Numbered = { entries: [], fresh: [], heads: new Map() };
  const seen = new Set<string>();
  for (const event of events) {
    const scope = scopeOf(event);
    if (scope === undefined || seen.has(event.id)) continue;
    seen.add(event.id);
    const stored = known.get(event.id);
    if (stored) {
      numbered.entries.push(stored);
      continue;
    }
    const head = numbered.heads.get(scope) ?? heads.get(scope);
    if (!head) throw new Error(`the head of ${scope} is missing`);
    const { epoch, seq } = head;
    const count = Math.max(1, countOf(event));
    const entry = { _id: event.id, scope, epoch, seq: seq + 1, count, event: slim(event) };
    numbered.entries.push(entry);
    numbered.fresh.push(entry);
    numbered.heads.set(scope, { epoch, seq: seq + count });
  }
  return numbered;
}

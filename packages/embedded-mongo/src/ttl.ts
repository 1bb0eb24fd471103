import type { Changes } from './changes.ts';
import { Edge } from './order.ts';
import type { Store } from './store.ts';

/** Removes the documents whose time has come, in every collection with a TTL index. @returns how many */
export function removeExpired(store: Store, now: number, changes: Changes): number {
  let removed = 0;
  for (const collection of store.collections) {
    for (const index of collection.indexes) {
      const seconds = index.spec.expireAfterSeconds;
      if (seconds === undefined) continue;
      const oldest = { values: [new Edge(44.5)], inclusive: true };
      const newest = { values: [new Date(now - seconds * 1000)], inclusive: true };
      const range = index.directions[0] === 1 ? { low: oldest, high: newest } : { low: newest, high: oldest };
      const expired = new Set([...index.scan(range, false, { keysExamined: 0 })].map(({ doc }) => doc));
      for (const doc of expired) collection.remove(doc, changes);
      removed += expired.size;
    }
  }
  return removed;
}

import type { Connection } from 'mongoose';
import type { Logger } from '../logger.ts';

/** Keys of indexes that earlier versions made, by collection. */
export type RetiredIndexes = Readonly<Record<string, readonly Readonly<Record<string, 1 | -1>>[]>>;

/** What servers answer when the index, or its collection, is not there: somebody else dropped it. */
const gone = new Set(['IndexNotFound', 'NamespaceNotFound']);

/**
 * Drop indexes that earlier versions made. Only those with exactly these keys: what people added for themselves stays. Harmless
 * when done again, or by several at once.
 */
export async function dropRetiredIndexes(
  { db }: Pick<Connection, 'db'>,
  retired: RetiredIndexes,
  log: Logger,
): Promise<void> {
  for (const [name, keys] of Object.entries(retired)) {
    const unwanted = new Set(keys.map((key) => JSON.stringify(Object.entries(key))));
    try {
      const present = (await db?.collection(name).indexes()) ?? [];
      for (const { name: index, key } of present) {
        if (!index || !unwanted.has(JSON.stringify(Object.entries(key)))) continue;
        await db?.collection(name).dropIndex(index);
        log.info({ collection: name, index }, 'an index of an earlier version was dropped');
      }
    } catch (err) {
      if (!gone.has((err as { codeName?: string }).codeName ?? '')) throw err;
    }
  }
}

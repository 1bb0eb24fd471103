import type { Connection } from 'mongoose';
import type { RetiredIndexes } from './retired-indexes.ts';

/** A model as far as its indexes are concerned. */
export interface IndexedModel {
  schema: { indexes(): [keys: object, options: object][] };
  /** As mongoose wraps it. */
  collection: { collectionName: string };
  createIndexes(): Promise<unknown>;
}

/** The database of a service, as data: its models are what says which indexes it has. */
export interface Database {
  /** What follows the prefix: "tasks". */
  name: string;
  /** Every model that has an index. */
  models(connection: Connection): readonly IndexedModel[];
  /** Indexes that no version which may still run needs. */
  retired?: RetiredIndexes;
}

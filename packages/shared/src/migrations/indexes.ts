import type { mongo } from 'mongoose';
import type { IndexedModel } from './database.ts';

/** What an index promises besides its order. */
const promises = ['unique', 'sparse', 'expireAfterSeconds', 'partialFilterExpression'] as const;

type Options = Partial<Record<(typeof promises)[number], unknown>> & { name?: string };

/** An index that a model asks for and its collection does not have. */
export interface LackingIndex {
  collection: string;
  keys: object;
  options: Options;
  /** Name of the one that is in its place: the same keys with other promises, or the same name. */
  instead?: string;
  /** One with the same keys is there, so that only its promises differ. */
  isChanged: boolean;
}

/** Indexes that a model asks for and its collection does not have as it asks for them. What else is there does not matter. */
export async function lackingIndexes({ schema, collection }: IndexedModel): Promise<LackingIndex[]> {
  const present = await presentIndexes(collection as unknown as mongo.Collection);
  return schema.indexes().flatMap(([keys, given]) => {
    const options = promisesOf(given);
    const same = present.find((each) => isEqual(Object.entries(each.key), Object.entries(keys)));
    const instead = same ?? present.find(({ name }) => name !== undefined && name === options.name);
    if (same && isEqual(promisesOf(same, false), promisesOf(options, false))) return [];
    const isChanged = same !== undefined;
    const named = instead?.name ? { instead: instead.name } : {};
    return [{ collection: collection.collectionName, keys, options, isChanged, ...named }];
  });
}

/** An index, for people. */
export function describeIndex({ collection, keys, options }: LackingIndex): string {
  return `${collection} ${JSON.stringify(keys)}${options.unique ? ' (unique)' : ''}`;
}

async function presentIndexes(collection: mongo.Collection): Promise<mongo.IndexDescriptionInfo[]> {
  try {
    return await collection.indexes();
  } catch (err) {
    if ((err as { codeName?: string }).codeName === 'NamespaceNotFound') return [];
    throw err;
  }
}

/** What is promised by options; what is not so is left out, as servers do. */
function promisesOf(options: Options, withName = true): Options {
  const made = promises.filter((name) => options[name] !== undefined && options[name] !== false);
  const named = withName && options.name !== undefined ? { name: options.name } : {};
  return { ...named, ...Object.fromEntries(made.map((name) => [name, options[name]])) };
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

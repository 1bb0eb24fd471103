import { createLogger } from '@claude-cli/shared/logger';
import { connectMongo, type Mongo } from '@claude-cli/shared/mongo';
import { poll } from '../../scripts/platform/poll.ts';

type Db = NonNullable<Mongo['connection']['db']>;
/** A stored document. */
export type Document = Awaited<ReturnType<ReturnType<ReturnType<Db['collection']>['find']>['toArray']>>[number];

/** For how long what passes by in an instant is waited for, in milliseconds. */
const catchMs = 30_000;
const log = createLogger('copy', 'silent');

/** What a database held, collection by collection, as a dump reads it: while others go on writing. */
export class DatabaseCopy {
  readonly #uri: string;
  readonly #name: string;
  readonly #documents: ReadonlyMap<string, Document[]>;

  private constructor(uri: string, name: string, documents: ReadonlyMap<string, Document[]>) {
    this.#uri = uri;
    this.#name = name;
    this.#documents = documents;
  }

  /**
   * Copy the database of a service.
   * @param name what follows the prefix: "tasks"
   * @param catching a collection, and what to do right before it is read; again, until what was read of it is as wanted
   */
  static async of(
    uri: string,
    name: string,
    catching?: { collection: string; act(): Promise<unknown>; wanted(documents: readonly Document[]): boolean },
  ): Promise<DatabaseCopy> {
    await using opened = await open(uri, name);
    const read = (collection: string) => opened.db.collection(collection).find().toArray();
    const documents = new Map<string, Document[]>();
    const attempt = async ({ collection, act, wanted }: NonNullable<typeof catching>) => {
      await act();
      const found = await read(collection);
      documents.set(collection, found);
      return wanted(found) || undefined;
    };
    if (catching) await poll(() => attempt(catching), { timeoutMs: catchMs, intervalMs: 0 });
    for (const { name: collection } of await opened.db.listCollections().toArray()) {
      if (!documents.has(collection)) documents.set(collection, await read(collection));
    }
    return new DatabaseCopy(uri, name, documents);
  }

  /** Documents of a collection. */
  of(collection: string): readonly Document[] {
    return this.#documents.get(collection) ?? [];
  }

  /** Put it back in place of what is there; indexes stay. */
  async restore(): Promise<void> {
    await using opened = await open(this.#uri, this.#name);
    for (const { name } of await opened.db.listCollections().toArray()) await opened.db.collection(name).deleteMany({});
    for (const [name, documents] of this.#documents) {
      if (documents.length > 0) await opened.db.collection(name).insertMany(documents);
    }
  }
}

async function open(uri: string, name: string): Promise<AsyncDisposable & { db: Db }> {
  const mongo = await connectMongo(uri, name, log);
  const { db } = mongo.connection;
  if (!db) throw new Error('not connected');
  return { db, [Symbol.asyncDispose]: () => mongo[Symbol.asyncDispose]() };
}

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { AnyBulkWriteOperation, Collection, Document } from 'mongodb';
import { connected } from './test-support.ts';

interface Item {
  _id: number;
  n?: unknown;
  name?: unknown;
  tags?: unknown;
}

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;
let together: Collection<Item>;
let single: Collection<Item>;

beforeAll(async () => {
  server = await connected();
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  [together, single] = [server.db.collection<Item>('together'), server.db.collection<Item>('single')];
  for (const items of [together, single]) await items.drop();
});

async function makeIndexes(items: Collection<Item>): Promise<void> {
  await items.createIndexes([
    { key: { name: 1 }, unique: true, sparse: true },
    { key: { n: -1, name: 1 } },
    { key: { tags: 1 } },
    { key: { n: 1 }, name: 'few', partialFilterExpression: { n: { $gt: 1 } } },
  ]);
}

/** Everything that is there: the documents, and what each index knows of them. */
async function contents(items: Collection<Item>): Promise<unknown> {
  const by = (filter: Document, hint: string) => items.find(filter, { hint }).sort({ _id: 1 }).toArray();
  return {
    all: await items.find().sort({ _id: 1 }).toArray(),
    named: await by({ name: { $gt: '' } }, 'name_1'),
    numbered: await by({ n: { $gte: 0 } }, 'n_-1_name_1'),
    tagged: await by({ tags: { $gte: 0 } }, 'tags_1'),
    few: await by({ n: { $gt: 1 } }, 'few'),
  };
}

const id = fc.integer({ min: 0, max: 5 });
const name = fc.constantFrom('a', 'b', 'c');
const tags = fc.oneof(fc.array(id, { maxLength: 3 }), id);
const item = fc.record({ _id: id, n: fc.oneof(id, name), name, tags }, { requiredKeys: ['_id'] });
const filter = fc.oneof(
  fc.record({ _id: id }),
  fc.constant({}),
  id.map((n) => ({ n })),
  id.map((each) => ({ tags: each })),
);
const update = fc.oneof(
  // Fails on what is no number, when others may have been changed before.
  fc.constant({ $inc: { n: 1 } }),
  name.map((each) => ({ $set: { name: each } })),
  tags.map((each) => ({ $set: { tags: each } })),
  id.map((each) => ({ $push: { tags: each } })),
  fc.constant({ $unset: { name: 1, n: 1 } }),
);
// Of one kind each, since the driver brings unordered writes into an order by their kind.
const batch = fc.oneof(
  fc.array(item.map((document) => ({ insertOne: { document } }))),
  fc.array(
    fc.oneof(
      fc.record({ filter, update }).map((updateOne) => ({ updateOne })),
      fc.record({ filter, update }).map((updateMany) => ({ updateMany })),
      // With an _id, so that both make the same.
      fc
        .record({ filter: fc.record({ _id: id }), update, upsert: fc.constant(true) })
        .map((updateOne) => ({ updateOne })),
    ),
  ),
  fc.array(
    fc.oneof(
      filter.map((each) => ({ deleteOne: { filter: each } })),
      fc.record({ _id: id }).map((each) => ({ deleteMany: { filter: each } })),
    ),
    { maxLength: 2 },
  ),
) as fc.Arbitrary<AnyBulkWriteOperation<Item>[]>;

const ignoreErrors = (writing: Promise<unknown>) => writing.catch(() => {});

test('what is written together leaves what the same leaves one by one, whichever of it fails', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 5 }), fc.array(batch, { maxLength: 4 }), async (first, batches) => {
      for (const items of [together, single]) {
        await items.drop();
        await makeIndexes(items);
        await ignoreErrors(items.insertMany(structuredClone(first), { ordered: false }));
      }
      for (const writes of batches.filter((each) => each.length > 0)) {
        await ignoreErrors(together.bulkWrite(structuredClone(writes), { ordered: false }));
        for (const write of structuredClone(writes)) await ignoreErrors(single.bulkWrite([write]));
      }
      expect(await contents(together)).toEqual(await contents(single));
    }),
    { numRuns: 150 },
  );
});

test('a part that has changed very much and fails leaves no trace', async () => {
  await makeIndexes(together);
  await together.insertMany(Array.from({ length: 1_500 }, (_, n) => ({ _id: n, n, tags: [n, n + 1] })));
  await together.updateOne({ _id: 1_499 }, { $set: { n: 'none' } });
  const before = await contents(together);
  const writes = [
    { updateMany: { filter: {}, update: { $inc: { n: 1 } } } },
    { updateOne: { filter: { _id: 0 }, update: { $set: { n: 7 } } } },
  ] as AnyBulkWriteOperation<Item>[];
  const error = await together.bulkWrite(writes, { ordered: false }).catch((thrown) => thrown);
  expect(error).toMatchObject({ writeErrors: [{ index: 0, code: 14 }], result: { modifiedCount: 1 } });
  await together.updateOne({ _id: 0 }, { $set: { n: 0 } });
  expect(await contents(together)).toEqual(before);
});

test('a part that has made a collection and fails takes it back, and what else came in the same moment is done', async () => {
  await makeIndexes(together);
  const fresh = server.db.collection<{ _id: unknown }>('fresh');
  const results = await Promise.allSettled([
    ...[1, 2, 3].map((_id) => together.insertOne({ _id, name: String(_id) })),
    fresh.insertOne({ _id: [1] }),
    together.insertOne({ _id: 4, name: '1' }),
    together.insertOne({ _id: 5, name: '5' }),
  ]);
  expect(results.map(({ status }) => status)).toEqual([
    ...['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected', 'fulfilled'],
  ]);
  expect((await together.distinct('_id')).sort()).toEqual([1, 2, 3, 5]);
  expect(await server.db.listCollections({ name: 'fresh' }).toArray()).toEqual([]);
  await fresh.insertOne({ _id: 1 });
  expect(await fresh.countDocuments()).toBe(1);
});

import { afterAll, beforeAll, test } from '@jest/globals';
import fc from 'fast-check';
import { type Document, ObjectId } from 'mongodb';
import { orderOf } from './sort.ts';
import { connected } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;

beforeAll(async () => {
  server = await connected();
});
afterAll(() => server[Symbol.asyncDispose]());

const ids = Array.from({ length: 3 }, (_, i) => new ObjectId(`64b00000000000000000000${i}`));
const scalar = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 2, arbitrary: fc.constantFrom('', 'a', 'ab', 'b', 'abc') },
  fc.constantFrom(null, true, false, 1.5, Number.NaN),
  fc.constantFrom(new Date(0), new Date(5), ...ids),
);
const nested = fc.oneof(
  scalar,
  fc.record({ x: scalar, y: scalar }, { requiredKeys: [] }),
  fc.array(fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), { maxLength: 3 }),
);
const subdocument = fc.record({ x: scalar, y: scalar }, { requiredKeys: [] });
const subdocuments = fc.oneof(fc.record({ x: nested, y: scalar }, { requiredKeys: [] }), {
  weight: 3,
  arbitrary: fc.array(fc.oneof({ weight: 6, arbitrary: subdocument }, scalar), { maxLength: 3 }),
});
// Only one field holds arrays of an index's own, since two could not be indexed together.
const doc = fc.record({ a: nested, b: scalar, c: scalar, s: subdocuments }, { requiredKeys: [] });
const withPlainA = fc.record({ a: scalar, b: scalar, c: scalar, s: subdocuments }, { requiredKeys: [] });

const direction = fc.constantFrom<1 | -1>(1, -1);
const pattern = (paths: string[]) =>
  fc
    .shuffledSubarray(paths, { minLength: 1, maxLength: Math.min(3, paths.length) })
    .chain((chosen) =>
      fc.tuple(...chosen.map((path) => fc.tuple(fc.constant(path), direction))).map(Object.fromEntries),
    );
const indexOptions = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  { weight: 2, arbitrary: fc.constant({ sparse: true }) },
  fc
    .constantFrom<Document>(
      { b: { $gt: 0 } },
      { b: null },
      { c: { $exists: true } },
      { b: 'a' },
      { c: { $type: 'string' } },
      { $and: [{ b: { $gt: 0 } }, { c: { $exists: true } }] },
    )
    .map((partialFilterExpression) => ({ partialFilterExpression })),
);
const condition = fc.oneof(
  { weight: 4, arbitrary: scalar },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte', '$eq', '$ne'), scalar)
      .map(([operator, value]) => ({ [operator]: value })),
  },
  fc.tuple(scalar, scalar).map(([low, high]) => ({ $gte: low, $lt: high })),
  fc.array(scalar, { maxLength: 3 }).map((list) => ({ $in: list })),
  fc.constantFrom<unknown>(
    { $exists: true },
    { $exists: false },
    { $type: 'string' },
    /^a/,
    { $not: { $gt: 1 } },
    { $elemMatch: { $gt: 0, $lt: 3 } },
    [],
    { $size: 1 },
  ),
  fc.array(scalar, { minLength: 1, maxLength: 2 }).map((list) => ({ $all: list })),
);
const paths = ['a', 'b', 'c', 's.x', 's.y', '_id'];
const simpleFilter = fc
  .array(fc.tuple(fc.constantFrom(...paths.slice(0, 5)), condition), { maxLength: 3 })
  .map(Object.fromEntries);
const likely = fc.integer({ min: 0, max: 3 });
const chosen = fc.oneof(
  likely,
  fc.tuple(likely, likely).map((list) => ({ $in: list })),
  condition,
);
const bothOfS = fc.tuple(chosen, chosen).map(([x, y]) => ({ 's.x': x, 's.y': y }));
const bothOfScalars = fc.tuple(chosen, chosen).map(([b, c]) => ({ b, c }));
const filter = fc.oneof(
  { weight: 5, arbitrary: simpleFilter },
  { weight: 2, arbitrary: bothOfS },
  { weight: 2, arbitrary: bothOfScalars },
  fc.tuple(simpleFilter, simpleFilter).map(([x, y]) => ({ $and: [x, y] })),
  fc.tuple(simpleFilter, simpleFilter).map(([x, y]) => ({ $or: [x, y] })),
  fc.tuple(condition, condition).map(([x, y]) => ({ s: { $elemMatch: { x, y } } })),
);
const query = fc.record({
  filter,
  sort: fc.option(fc.oneof(pattern(['a', 'b', 'c']), pattern(['s.x', 's.y', 'b']))),
  skip: fc.integer({ min: 0, max: 3 }),
  limit: fc.integer({ min: 0, max: 6 }),
});
/** What changes a document, of which some indexes take note and others do not. */
const change = fc.oneof(
  fc.tuple(fc.constantFrom('b', 'c'), scalar).map(([path, value]) => ({ $set: { [path]: value } })),
  fc.constantFrom('a', 'b', 'c', 's').map((path) => ({ $unset: { [path]: 1 } })),
  subdocuments.map((value) => ({ $set: { s: value } })),
  fc.record({ b: scalar, s: subdocuments }, { requiredKeys: [] }),
  fc.constant({ $rename: { b: 'c' } }),
);
const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 24 }), change), { maxLength: 10 });
const scenario = fc.boolean().chain((arrays) =>
  fc.record({
    docs: fc.array(arrays ? doc : withPlainA, { maxLength: 25 }),
    indexes: fc.array(fc.tuple(pattern(arrays ? ['b', 'c', 's.x', 's.y'] : ['a', 'b', 'c', 's.y']), indexOptions), {
      minLength: 1,
      maxLength: 4,
    }),
    single: pattern(['a']),
    changes,
    queries: fc.array(query, { minLength: 8, maxLength: 20 }),
  }),
);

test('answers by index are those of a scan, in the same order, for random documents, indexes, filters and sorts', async () => {
  const [indexed, plain] = [server.db.collection<Document>('indexed'), server.db.collection<Document>('plain')];
  await fc.assert(
    fc.asyncProperty(scenario, async ({ docs, indexes, single, changes, queries }) => {
      await Promise.all([indexed.drop(), plain.drop()]);
      const numbered = docs.map((each, _id) => ({ _id, ...each }) as Document);
      if (numbered.length > 0) {
        // Half before the indexes exist and half after, so that both ways of building them are tried.
        const middle = Math.floor(numbered.length / 2);
        await plain.insertMany(numbered);
        if (middle > 0) await indexed.insertMany(numbered.slice(0, middle));
        for (const [key, options] of [...indexes, [single, {}] as const]) {
          await indexed
            .createIndex(key, { ...options, name: `${JSON.stringify(key)}${JSON.stringify(options)}` })
            .catch((error) => {
              if (error.code !== 85) throw error;
            });
        }
        await indexed.insertMany(numbered.slice(middle));
        await Promise.all(
          [indexed, plain].map((each) =>
            each.updateMany({ _id: { $mod: [3, 0] } } as Document, { $set: { b: 2 }, $unset: { c: 1 } }),
          ),
        );
        for (const [_id, change] of changes) {
          const replaces = !Object.keys(change).some((key) => key.startsWith('$'));
          const apply = (each: typeof plain) =>
            replaces
              ? each.replaceOne({ _id } as Document, change as Document)
              : each.updateOne({ _id } as Document, change as Document);
          await Promise.all([indexed, plain].map(apply));
        }
        await Promise.all([indexed, plain].map((each) => each.deleteMany({ _id: { $mod: [7, 6] } } as Document)));
      }
      for (const { filter, sort, skip, limit } of queries) {
        const order: Document = { ...sort, _id: 1 };
        const [byIndex, byScan] = await Promise.all(
          [indexed, plain].map((each) => each.find(filter, { sort: order, skip, limit }).toArray()),
        );
        const show = (found: Document[] | undefined) => JSON.stringify(found?.map(({ _id }) => _id));
        if (show(byIndex) !== show(byScan)) {
          const plan = await indexed.find(filter, { sort: order, skip, limit }).explain('queryPlanner');
          throw new Error(
            `${show(byIndex)} by index, ${show(byScan)} by scan: ${JSON.stringify(plan.queryPlanner.winningPlan)}`,
          );
        }
        const counted = await indexed.countDocuments(filter, { skip, ...(limit > 0 && { limit }) });
        if (counted !== byScan?.length) throw new Error(`${counted} counted by index, ${byScan?.length} by scan`);
        // Without the tie-breaker an index may give the order itself: then sorting what it gave changes nothing.
        if (!sort) continue;
        const sorted = await indexed.find(filter, { sort }).toArray();
        const again = orderOf(sorted, sort, (each) => each);
        if (show(again) !== show(sorted)) throw new Error(`${show(sorted)} by index, in order ${show(again)}`);
        if (sorted.length !== (await plain.countDocuments(filter)))
          throw new Error('another number of documents in order');
      }
    }),
    { numRuns: 150 },
  );
});

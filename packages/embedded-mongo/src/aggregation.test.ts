import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Document, ObjectId } from 'mongodb';
import { connected } from './test-support.ts';

type Server = Awaited<ReturnType<typeof connected>>;
let server: Server;
const oid = new ObjectId('64b000000000000000000001');

beforeAll(async () => {
  server = await connected();
  await server.db.collection<Document & { _id: number }>('c').insertMany([
    { _id: 1, n: 1, s: 'x', l: [1, 2, 3], t: new Date('2024-02-29T12:34:56.789Z'), o: oid },
    { _id: 2, n: 2.5, s: '', l: [], d: { e: null }, o: new ObjectId(oid.toHexString()) },
    { _id: 3, s: 'x', l: [{ k: 1 }, { k: 2 }], d: [{ e: 1 }, { e: 2 }] },
  ]);
});
afterAll(() => server[Symbol.asyncDispose]());

const run = (pipeline: Document[]) =>
  server.db
    .collection('c')
    .aggregate([{ $sort: { _id: 1 } }, ...pipeline])
    .toArray();

describe('expressions', () => {
  // Where mingo's own answers differ from MongoDB's documentation, and the cases that need care.
  test.each<[unknown, unknown[]]>([
    [{ $eq: ['$n', null] }, [false, false, false]],
    [{ $gt: ['$s', '$n'] }, [true, true, true]],
    [{ $eq: ['$l', 1] }, [false, false, false]],
    [
      {
        $cmp: [
          [3, 1],
          [2, 9],
        ],
      },
      [1, 1, 1],
    ],
    [{ $eq: ['$o', oid] }, [true, true, false]],
    [{ $not: ['$s'] }, [false, false, false]],
    [{ $size: ['$l'] }, [3, 0, 2]],
    [{ $last: '$l' }, [3, undefined, { k: 2 }]],
    [{ $toUpper: '$nope' }, ['', '', '']],
    [{ $year: '$t' }, [2024, null, null]],
    [{ $dateAdd: { startDate: '$t', unit: 'day', amount: 1 } }, [new Date('2024-03-01T12:34:56.789Z'), null, null]],
    [{ $dateTrunc: { date: '$t', unit: 'week' } }, [new Date('2024-02-25'), null, null]],
    [{ $max: ['$n', 2] }, [2, 2.5, 2]],
    [{ $ifNull: ['$n', '$s'] }, [1, 2.5, 'x']],
    [{ $round: [2.5, 0] }, [2, 2, 2]],
    ['$l.k', [[], [], [1, 2]]],
    ['$d.e', [undefined, null, [1, 2]]],
  ])('%j gives %j', async (expression, expected) => {
    expect((await run([{ $project: { v: expression } }])).map(({ v }) => v)).toEqual(expected);
  });
});

describe('stages', () => {
  test.each<[Document[], unknown[]]>([
    [
      [{ $group: { _id: '$s', n: { $sum: '$n' }, ids: { $push: '$_id' }, all: { $push: '$n' } } }],
      [
        { _id: 'x', n: 1, ids: [1, 3], all: [1] },
        { _id: '', n: 2.5, ids: [2], all: [2.5] },
      ],
    ],
    [
      [{ $group: { _id: '$o', c: { $count: {} } } }],
      [
        { _id: oid, c: 2 },
        { _id: null, c: 1 },
      ],
    ],
    [
      [{ $unwind: '$s' }, { $project: { s: 1 } }],
      [
        { _id: 1, s: 'x' },
        { _id: 2, s: '' },
        { _id: 3, s: 'x' },
      ],
    ],
    [[{ $unwind: { path: '$l', preserveNullAndEmptyArrays: true } }, { $count: 'n' }], [{ n: 6 }]],
    [
      [{ $set: { 'd.x': 1 } }, { $project: { d: 1 } }],
      [
        { _id: 1, d: { x: 1 } },
        { _id: 2, d: { e: null, x: 1 } },
        {
          _id: 3,
          d: [
            { e: 1, x: 1 },
            { e: 2, x: 1 },
          ],
        },
      ],
    ],
    [
      [{ $sort: { s: -1, _id: -1 } }, { $project: { _id: 1 } }],
      [{ _id: 3 }, { _id: 1 }, { _id: 2 }],
    ],
    [[{ $match: { 'l.k': { $gte: 2 } } }, { $replaceWith: { id: '$_id' } }], [{ id: 3 }]],
    [
      [
        {
          $lookup: {
            from: 'c',
            let: { s: '$s' },
            pipeline: [{ $match: { $expr: { $eq: ['$s', '$$s'] } } }, { $count: 'n' }],
            as: 'same',
          },
        },
        { $project: { same: 1 } },
      ],
      [
        { _id: 1, same: [{ n: 2 }] },
        { _id: 2, same: [{ n: 1 }] },
        { _id: 3, same: [{ n: 2 }] },
      ],
    ],
  ])('%j', async (pipeline, expected) => {
    expect(await run(pipeline)).toEqual(expected);
  });

  test('never change the stored documents', async () => {
    const before = await run([]);
    await run([
      { $set: { 'd.e': 9, 'l.k': 9 } },
      { $unwind: '$l' },
      { $unset: ['s', 'd.e'] },
      { $facet: { x: [{ $set: { 'l.k': 7 } }] } },
    ]);
    expect(await run([])).toEqual(before);
  });

  test('$out puts its results in the place of a collection', async () => {
    await run([{ $project: { s: 1 } }, { $out: 'copy' }]);
    await run([{ $match: { s: 'x' } }, { $project: { s: 1 } }, { $out: 'copy' }]);
    expect(await server.db.collection('copy').find().toArray()).toEqual([
      { _id: 1, s: 'x' },
      { _id: 3, s: 'x' },
    ]);
  });
});

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import mongoose from 'mongoose';
import { type EmbeddedServer, startServer } from './server.ts';
import { stageNames } from './test-support.ts';

const taskSchema = new mongoose.Schema(
  {
    _id: { type: String, default: () => randomUUID() },
    project: { type: String, required: true },
    name: { type: String, required: true },
    status: { type: String, enum: ['pending', 'done'], default: 'pending' },
    priority: { type: Number, default: 0 },
    tags: [String],
    steps: [new mongoose.Schema({ title: String, done: { type: Boolean, default: false } })],
    meta: { type: mongoose.Schema.Types.Mixed, default: {} },
    deletedAt: { type: Date, default: null },
  },
  { timestamps: true, optimisticConcurrency: true },
);
taskSchema.index({ project: 1, deletedAt: 1, createdAt: -1 });
taskSchema.index({ project: 1, name: 1 }, { unique: true, partialFilterExpression: { deletedAt: null } });
taskSchema.index({ tags: 1 });

let server: EmbeddedServer;
let connection: mongoose.Connection;
const model = () => connection.model('Task', taskSchema);

beforeAll(async () => {
  server = await startServer();
  connection = await mongoose.createConnection(`${server.uri}/app`).asPromise();
  await model().init();
});
afterAll(async () => {
  await connection.close();
  await server.close();
});
beforeEach(async () => {
  await model().deleteMany({});
});

test('models create their indexes, and syncing them again changes nothing', async () => {
  expect(Object.keys(await model().collection.indexInformation())).toHaveLength(4);
  await model().createIndexes();
  expect(await model().syncIndexes()).toEqual([]);
  await model().collection.createIndex({ stray: 1 });
  expect(await model().syncIndexes()).toEqual(['stray_1']);
});

test('documents are saved with timestamps and defaults, and read back lean', async () => {
  const task = await model().create({ project: 'p', name: 'n', tags: ['a'], meta: { 'a.b': { $c: 1 } } });
  const lean = await model().findById(task._id).lean();
  expect(lean).toMatchObject({ _id: task._id, status: 'pending', meta: { 'a.b': { $c: 1 } }, __v: 0, deletedAt: null });
  expect(lean?.createdAt).toEqual(lean?.updatedAt);
});

test('an index serves a page with its total', async () => {
  await model().insertMany(
    Array.from({ length: 120 }, (_, i) => ({ project: `p${i % 2}`, name: `n${i}`, createdAt: new Date(i) })),
  );
  const filter = { project: 'p1', deletedAt: null };
  const page = model().find(filter).sort({ createdAt: -1 }).skip(10).limit(10);
  const [docs, total] = await Promise.all([page.lean(), model().countDocuments(filter)]);
  expect([docs[0]?.name, docs.length, total]).toEqual(['n99', 10, 60]);
  const plan = await model().find(filter).sort({ createdAt: -1 }).skip(10).limit(10).explain('executionStats');
  expect(stageNames(plan as never)).toEqual(['LIMIT', 'SKIP', 'FETCH', 'IXSCAN']);
});

test('a partial unique index frees the name of what is deleted softly', async () => {
  const first = await model().create({ project: 'p', name: 'n' });
  await expect(model().create({ project: 'p', name: 'n' })).rejects.toMatchObject({
    code: 11000,
    keyValue: { project: 'p', name: 'n' },
  });
  await model().updateOne({ _id: first._id }, { deletedAt: new Date() });
  await model().create({ project: 'p', name: 'n' });
});

test('changed documents are saved field by field, and a stale version is refused', async () => {
  const { _id } = await model().create({
    project: 'p',
    name: 'n',
    tags: ['a', 'b'],
    steps: [{ title: 'one' }, { title: 'two' }],
  });
  const [mine, theirs] = [await model().findById(_id), await model().findById(_id)];
  if (!mine || !theirs) throw new Error('the task is gone');
  mine.tags.push('c');
  const step = mine.steps[1];
  if (step) step.done = true;
  mine.markModified('meta');
  await mine.save();
  expect(await model().findById(_id).lean()).toMatchObject({
    tags: ['a', 'b', 'c'],
    steps: [{ done: false }, { done: true }],
    __v: 1,
  });
  theirs.name = 'other';
  await expect(theirs.save()).rejects.toThrow(mongoose.Error.VersionError);
});

test('bulk writes, array filters and sessions work as they do elsewhere', async () => {
  const session = await connection.startSession();
  const { _id } = await model().create({ project: 'p', name: 'n', steps: [{ title: 'one' }, { title: 'two' }] });
  const result = await model().bulkWrite(
    [
      {
        updateOne: {
          filter: { _id },
          update: { $set: { 'steps.$[s].done': true } },
          arrayFilters: [{ 's.title': 'two' }],
        },
      },
      { updateOne: { filter: { _id: 'new' }, update: { $set: { project: 'p', name: 'm' } }, upsert: true } },
      { deleteOne: { filter: { _id: 'nobody' } } },
    ],
    { session },
  );
  expect(result).toMatchObject({ modifiedCount: 1, upsertedCount: 1, deletedCount: 0 });
  expect((await model().findById('new').session(session).lean())?.createdAt).toBeInstanceOf(Date);
  await session.endSession();
});

test('a facet gives counts and a page in one pipeline', async () => {
  const statuses = ['pending', 'done', 'done'];
  await model().insertMany(
    statuses.map((status, i) => ({ project: 'p', name: `n${i}`, status, priority: i, tags: ['x', status] })),
  );
  const [facet] = await model().aggregate([
    { $match: { project: 'p' } },
    {
      $facet: {
        byStatus: [{ $group: { _id: '$status', n: { $sum: 1 }, top: { $max: '$priority' } } }, { $sort: { _id: 1 } }],
        tags: [{ $unwind: '$tags' }, { $sortByCount: '$tags' }, { $limit: 1 }],
        page: [
          { $sort: { priority: -1 } },
          { $limit: 1 },
          { $project: { _id: 0, name: 1, label: { $concat: ['$status', '/', '$name'] } } },
        ],
        total: [{ $count: 'n' }],
      },
    },
  ]);
  expect(facet).toEqual({
    byStatus: [
      { _id: 'done', n: 2, top: 2 },
      { _id: 'pending', n: 1, top: 0 },
    ],
    tags: [{ _id: 'x', count: 3 }],
    page: [{ name: 'n2', label: 'done/n2' }],
    total: [{ n: 3 }],
  });
});

test('pipelines join, bucket by day and compute dates', async () => {
  await connection.collection<{ _id: string; title: string }>('projects').insertOne({ _id: 'p', title: 'Project' });
  const at = (day: number) => new Date(Date.UTC(2024, 1, day, 13, 14));
  await model().insertMany([1, 1, 2].map((day, i) => ({ project: 'p', name: `n${i}`, createdAt: at(day) })));
  const days = await model().aggregate([
    { $lookup: { from: 'projects', localField: 'project', foreignField: '_id', as: 'project' } },
    { $unwind: '$project' },
    {
      $group: {
        _id: { day: { $dateTrunc: { date: '$createdAt', unit: 'day' } }, title: '$project.title' },
        n: { $sum: 1 },
      },
    },
    { $sort: { '_id.day': 1 } },
    { $set: { text: { $dateToString: { date: '$_id.day', format: '%Y-%m-%d' } } } },
  ]);
  expect(days).toEqual([
    { _id: { day: new Date('2024-02-01'), title: 'Project' }, n: 2, text: '2024-02-01' },
    { _id: { day: new Date('2024-02-02'), title: 'Project' }, n: 1, text: '2024-02-02' },
  ]);
});

test('a cursor walks over everything', async () => {
  await model().insertMany(Array.from({ length: 250 }, (_, i) => ({ project: 'p', name: `n${i}` })));
  let n = 0;
  for await (const _task of model().find().batchSize(20).cursor()) n += 1;
  expect(n).toBe(250);
});

test('findOneAndUpdate upserts with defaults and returns the new document', async () => {
  const options = { upsert: true, returnDocument: 'after', setDefaultsOnInsert: true } as const;
  const task = await model()
    .findOneAndUpdate({ _id: 'up' }, { $set: { project: 'p', name: 'n' }, $inc: { priority: 2 } }, options)
    .lean();
  expect(task).toMatchObject({ _id: 'up', priority: 2, status: 'pending' });
});

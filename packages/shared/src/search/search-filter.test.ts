import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Connection, createConnection, type Model, Schema } from 'mongoose';
import { databasePrefix } from '../mongo.ts';
import { testEnvironment } from '../testing/environment.ts';
import { searchFilter } from './search-filter.ts';
import { type SearchTerms, searchTermsOf, wordsOf } from './terms.ts';

interface Stored extends SearchTerms {
  _id: string;
  title: string;
  tags: string[];
}

const fields = ['title', 'tag'] as const;
const titles: Record<string, [title: string, ...tags: string[]]> = {
  login: ['Implement user authentication', 'security', 'web api'],
  logout: ['Implement logout of the user', 'security'],
  guide: ['Authentication: user guide', 'docs'],
  café: ['Öffne das Café um 10:30', 'web', 'api'],
  plan: ['Plan 2026', 'authors'],
};

describe('searching in a store', () => {
  const { env, ...environment } = testEnvironment();
  const uri = env.MONGODB_URI ?? '';
  let connection: Connection;
  let model: Model<Stored>;

  beforeAll(async () => {
    connection = await createConnection(uri, { dbName: `${databasePrefix(uri)}_search` }).asPromise();
    const schema = new Schema<Stored>(
      { _id: String, title: String, tags: [String], terms: [String], term_texts: Schema.Types.Mixed },
      { versionKey: false },
    );
    schema.index({ terms: 1 });
    model = connection.model<Stored>('Found', schema.set('strictQuery', 'throw'));
    await model.init();
    await model.create(
      Object.entries(titles).map(([_id, [title, ...tags]]) => ({
        _id,
        title,
        tags,
        ...searchTermsOf({ title, tag: tags }),
      })),
    );
  });
  afterAll(async () => {
    await connection.dropDatabase();
    await connection.close();
    await environment[Symbol.asyncDispose]();
  });

  const found = async (query: string) => {
    const documents = await model.find(searchFilter(query, fields), { _id: 1 }).sort({ _id: 1 }).lean();
    return documents.map(({ _id }) => _id).join(' ');
  };

  test.each([
    ['authentication', 'guide login'],
    ['USER authentication', 'guide login'],
    ['"user authentication"', 'login'],
    ['"authentication user"', 'guide'],
    ['auth*', 'guide login plan'],
    ['auth* AND security', 'login'],
    ['title:auth*', 'guide login'],
    ['tag:auth*', 'plan'],
    ['tag:security -title:logout', 'login'],
    ['title:security', ''],
    ['title:"implement lo*"', ''],
    ['implement-lo*', 'logout'],
    ['tag:"web api"', 'login'],
    ['tag:web tag:api', 'café login'],
    ['cafe OFFNE', 'café'],
    ['10:30', 'café'],
    ['2026', 'plan'],
    ['202*', 'plan'],
    ['security OR docs', 'guide login logout'],
    ['security logout OR docs guide', 'guide logout'],
    ['docs OR security AND logout', 'guide logout'],
    ['(docs OR security) AND logout', 'logout'],
    ['"user guide" OR plan', 'guide plan'],
    ['doc* OR plan', 'guide plan'],
    ['NOT user', 'café plan'],
    ['NOT (user OR plan)', 'café'],
    ['-title:user -tag:authors', 'café'],
    ['user NOT (logout OR guide)', 'login'],
    ['nothing', ''],
    ['$where', ''],
  ])('%s finds: %s', async (query, expected) => expect(await found(query)).toBe(expected));

  test.each([
    'user',
    'user security',
    '"user guide"',
    'title:user',
    'auth*',
    'title:auth*',
    'docs OR security',
    '"user guide" OR plan OR (a b)',
    'user -guide',
    'auth* -guide',
  ])('%s is answered by the index of the words', async (query) => {
    const cursor = model.collection.find(searchFilter(query, fields));
    const plan = JSON.stringify((await cursor.explain('queryPlanner')).queryPlanner.winningPlan);
    expect(plan).toContain('terms_1');
    expect(plan).not.toContain('COLLSCAN');
  });

  test('documents that hold only words, from an earlier version, are found by words and prefixes', async () => {
    await model.collection.insertOne({
      _id: 'old',
      title: 'Legacy report',
      tags: [],
      terms: ['legacy', 'report'],
    } as never);
    try {
      expect(await found('legacy report')).toBe('old');
      expect(await found('lega* -title:legacy')).toBe('old');
      expect(await found('"legacy report"')).toBe('');
    } finally {
      await model.deleteOne({ _id: 'old' });
    }
  });

  test('any query finds what reading all documents finds', async () => {
    const word = fc.constantFrom(
      'user',
      'implement',
      'authentication',
      'security',
      'api',
      'web',
      'guide',
      'das',
      'none',
    );
    const term = fc.oneof(
      word,
      fc.tuple(word, word).map((both) => `"${both.join(' ')}"`),
      word.map((each) => `${each.slice(0, 2)}*`),
      fc.tuple(fc.constantFrom(...fields), word).map(([field, each]) => `${field}:${each}`),
    );
    const { query } = fc.letrec<{ query: Asked }>((tie) => ({
      query: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        term.map((text): Asked => ({ text, holds: (document) => holds(document, text) })),
        fc.tuple(tie('query'), tie('query')).map(
          ([a, b]): Asked => ({
            text: `(${a.text} ${b.text})`,
            holds: (document) => a.holds(document) && b.holds(document),
          }),
        ),
        fc.tuple(tie('query'), tie('query')).map(
          ([a, b]): Asked => ({
            text: `(${a.text} OR ${b.text})`,
            holds: (document) => a.holds(document) || b.holds(document),
          }),
        ),
        tie('query').map((a): Asked => ({ text: `-(${a.text})`, holds: (document) => !a.holds(document) })),
      ),
    }));
    const all = await model.find().sort({ _id: 1 }).lean();
    await fc.assert(
      fc.asyncProperty(query, async ({ text, holds }) => {
        const expected = all
          .filter((document) => holds(document as Stored))
          .map(({ _id }) => _id)
          .join(' ');
        expect({ text, found: await found(text) }).toEqual({ text, found: expected });
      }),
      { numRuns: 150 },
    );
  });
});

interface Asked {
  text: string;
  holds(document: Stored): boolean;
}

/** Whether a term is in a document, read from its texts. */
function holds({ title, tags }: Stored, text: string): boolean {
  const [, field, asked = ''] = /^(?:(\w+):)?"?(.*?)"?$/.exec(text) ?? [];
  const texts = [...(field === 'tag' ? [] : [title]), ...(field === 'title' ? [] : tags)];
  const end = asked.endsWith('*') ? '' : ' ';
  return texts.some((each) => ` ${wordsOf(each).join(' ')} `.includes(` ${wordsOf(asked).join(' ')}${end}`));
}

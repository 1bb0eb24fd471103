import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PlatformError } from '../errors.ts';
import { searchFilter } from './search-filter.ts';
import { searchTermsOf } from './terms.ts';
import { tidyQuery } from './tidy-query.ts';

const fields = ['title', 'tag'];

/** The terms of a query in their place: words joined by `+`. */
function read(query: string): string {
  const { structure, terms } = tidyQuery(query, fields);
  return structure.replace(/#(\d+)/g, (_, number) => {
    const { field, words, prefix } = terms[Number(number)] ?? { field: undefined, words: [], prefix: false };
    return `${field ? `${field}:` : ''}${words.join('+')}${prefix ? '*' : ''}`;
  });
}

function refusal(query: string): unknown {
  try {
    searchFilter(query, fields);
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    return { code: error.code, ...error.details };
  }
  return undefined;
}

describe('a query', () => {
  test.each([
    ['auth', 'auth'],
    ['user authentication', 'user AND authentication'],
    ['"User Authentication"', 'user+authentication'],
    ["'user authentication'", 'user+authentication'],
    ['auth* AND security', 'auth* AND security'],
    ['title:Auth tag:"a b" title:se*', 'title:auth AND tag:a+b AND title:se*'],
    ['a OR b -c NOT d', 'a OR b AND NOT c AND NOT d'],
    ['(a OR b)(c) NOT(d)', '( a OR b ) AND ( c ) AND NOT ( d )'],
    ['-(a b) -"c d" -title:e', 'NOT ( a AND b ) AND NOT c+d AND NOT title:e'],
    ['123 -007 1.5 true null', '123 AND NOT 007 AND 1+5 AND true AND null'],
    ["it's 10:30, R&D; C++ a/b me@x.org", 'it+s AND 10+30 AND r+d AND c AND a+b AND me+x+org'],
    ['--force a - b & c', 'force AND a AND b AND c'],
    ['user-name* user_name', 'user+name* AND user+name'],
    ['"say \\"hi\\" twice" "AND" and', 'say+hi+twice AND and AND and'],
    ['Größe ΟΔΟΣ Ｆｕｌｌ İ', 'große AND οδοσ AND full AND i'],
    ['[Bug] {x}', 'bug AND x'],
  ])('%s is read as %s', (query, expected) => expect(read(query)).toBe(expected));

  test.each([
    ['', 'there is no letter or digit to search for'],
    [' & ', 'there is no letter or digit to search for'],
    ['a ""', 'position 3: there is no letter or digit to search for'],
    ['a "b', 'position 3: the quote " is not closed'],
    ['a"b"', 'position 2: a space is missing between a quote and a word'],
    ['"a"b', 'position 4: a space is missing between a quote and a word'],
    ['a AND', 'position 3: a term is missing behind AND'],
    ['OR a', 'position 1: a term is missing in front of OR'],
    ['a AND OR b', 'position 7: a term is missing in front of OR'],
    ['NOT NOT a', 'position 5: a term is missing between NOT and NOT'],
    ['a NOT', 'position 3: a term is missing behind NOT'],
    ['(a', 'position 1: this parenthesis is not closed'],
    ['a)', 'position 2: this parenthesis was not opened'],
    ['a ()', 'position 4: a term is missing in front of )'],
    ['*', 'position 1: a word must begin in front of *'],
    ['a*b', /^position 1: only one \* at the end of a word is a wildcard/],
    ['*a', /^position 1: only one \* at the end/],
    ['wh?t', /^position 1: only one \* at the end/],
    ['/a.*/', /^position 1: only one \* at the end/],
    ['x /ab/i', /^position 3: regular expressions are not supported/],
    ['title:/ab/', /^position 1: regular expressions are not supported/],
    ['title:>3', /^position 1: ranges and comparisons are not supported/],
    ['title:[1 TO 3]', /^position 1: ranges and comparisons are not supported/],
    ['{1 TO 3]', /^position 1: ranges and comparisons are not supported/],
    ['title: a', /^position 1: a word, a "phrase" or a prefix\* is missing directly behind title:/],
    ['title:(a b)', /^position 1: a word, a "phrase" or a prefix\* is missing directly behind title:/],
    ['owner:me', /^position 1: there is no field owner, only title:, tag:;/],
    ['__proto__:a', /^position 1: there is no field __proto__/],
    ['a && b', 'position 3: write AND instead of &&'],
    ['a || b', 'position 3: write OR instead of ||'],
    ['a '.repeat(33), 'position 65: at most 32 terms can be searched for'],
    [`${'('.repeat(9)}a${')'.repeat(9)}`, 'position 9: parentheses can be 8 deep at most'],
    ['a'.repeat(501), 'at most 500 characters can be searched for'],
  ])('%s is refused, with the reason and the place', (query, issue) => {
    const expected = typeof issue === 'string' ? issue : expect.stringMatching(issue);
    expect(refusal(query)).toEqual({ code: 'VALIDATION_INVALID_FORMAT', field: 'search', issue: expected });
  });

  const syntax = fc.constantFrom(
    ...[
      '(',
      ')',
      '"',
      "'",
      '-',
      ' ',
      ' AND ',
      ' OR ',
      ' NOT ',
      '*',
      '?',
      ':',
      'title:',
      '/',
      '\\',
      '[',
      '1',
      '-1',
      'a',
    ],
    ...[
      '.',
      '@',
      '#',
      '$where',
      '{',
      '\n',
      '\0',
      '\u2028',
      '\ud800',
      'é',
      'ﷺ',
      '😀',
      'true',
      'null',
      '#0',
      '__proto__',
    ],
  );
  const query = fc.oneof(
    fc.array(syntax, { maxLength: 200 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary', maxLength: 500 }),
  );

  test('of any text is answered or refused by our own error', () => {
    const answered = (text: string) => {
      const found = refusal(text) as { code: string; field: string } | undefined;
      return found === undefined || (found.code === 'VALIDATION_INVALID_FORMAT' && found.field === 'search');
    };
    fc.assert(fc.property(query, answered), { numRuns: 2_000 });
  });

  test('of any shape takes little time', () => {
    const repeated = (text: string, times: number) => Array(times).fill(text).join(' ');
    const hostile = [
      repeated('(a)', 32),
      repeated('-1', 32),
      repeated('()', 200),
      repeated(`${'('.repeat(8)}a${')'.repeat(8)}`, 9),
      repeated(`${'('.repeat(8)}a${' b)'.repeat(8)}`, 4),
      `${'-('.repeat(8)}a${' -b)'.repeat(8)}`,
      repeated('a OR', 31).concat(' a'),
      repeated("'a b'", 32),
      `"${'a '.repeat(249)}"`,
      '"'.repeat(500),
      `"${'\\'.repeat(499)}`,
      '('.repeat(500),
      '-'.repeat(500),
      'a:'.repeat(250),
      'ﷺ'.repeat(500),
      ' '.repeat(500),
    ];
    const times = hostile.map((text) => {
      const started = performance.now();
      refusal(text);
      return performance.now() - started;
    });
    // A few milliseconds each; exponential ones would take from seconds to years.
    expect(Math.max(...times)).toBeLessThan(2_000);
  });
});

describe('the terms of a document', () => {
  test('are found whatever their case, accents and punctuation, and kept in their order by field', () => {
    expect(searchTermsOf({ title: 'Café-Zürich: «naïve»', tag: ['task #42', 'TASK'], description: undefined })).toEqual(
      {
        terms: ['cafe', 'zurich', 'naive', 'task', '42'],
        term_texts: { title: ' cafe zurich naive ', tag: ' task 42 | task ', description: '  ' },
      },
    );
  });

  test('are bounded, the first field first', () => {
    const long = Array.from({ length: 5_000 }, (_, n) => `word${n}`).join(' ');
    const { terms, term_texts } = searchTermsOf({ title: 'Log in', description: long, notes: long });
    expect(terms).toHaveLength(1_000);
    expect(terms.slice(0, 3)).toEqual(['log', 'in', 'word0']);
    expect(Object.values(term_texts).join('').length).toBeLessThan(40_100);
    expect(searchTermsOf({ title: 'x'.repeat(100) }).terms).toEqual(['x'.repeat(64), 'x'.repeat(36)]);
  });
});

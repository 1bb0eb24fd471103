import { badQuery, type Piece, piecesOf } from './pieces.ts';
import { wordsOf } from './terms.ts';

/** Unicode code points of a query, at most. */
const maxLength = 500;
/** Words, phrases and prefixes of a query, at most. */
const maxTerms = 32;
/** Parentheses within each other, at most. */
const maxDepth = 8;

/** A word, or several as a phrase; the last of them may be the beginning of one. Normalized. */
export interface Term {
  /** The only field that it is searched in; undefined for any. */
  field: string | undefined;
  words: string[];
  prefix: boolean;
}

/** A query with its terms apart. */
export interface TidyQuery {
  /** What stands between the terms, with `#0` for the first of them: `#0 AND ( #1 OR NOT #2 )`. */
  structure: string;
  terms: Term[];
}

/**
 * Take the terms out of a query, and write its structure as the parser of liqe reads it in linear time and in one way
 * only: with every operator, and a space on both sides. As people write queries its grammar is ambiguous, so that a
 * dozen parentheses or negative numbers take it seconds, and an apostrophe, a comma or a time of day is an error to it.
 * @param fields that a term may be limited to
 * @throws PlatformError VALIDATION_INVALID_FORMAT that says what is wrong and where
 */
export function tidyQuery(query: string, fields: readonly string[]): TidyQuery {
  if (query.length > 2 * maxLength || [...query].length > maxLength) {
    throw badQuery(`at most ${maxLength} characters can be searched for`);
  }
  const tidy: string[] = [];
  const open: number[] = [];
  const terms: Term[] = [];
  // The operator or parenthesis that still needs a term behind it.
  let waiting: { kind: string; at: number } | undefined = { kind: '', at: 0 };

  for (const piece of piecesOf(query)) {
    const { kind, at } = piece;
    const term = kind === 'term' ? termOf(piece, query, fields) : undefined;
    // A word without a letter or digit, such as a dash between two others, says nothing.
    if (kind === 'term' && !term) continue;
    if (kind === 'AND' || kind === 'OR' || kind === ')') {
      if (kind === ')' && open.pop() === undefined) throw badQuery('this parenthesis was not opened', at);
      if (waiting) throw badQuery(`a term is missing in front of ${kind}`, at);
    } else {
      if (kind === 'NOT' && waiting?.kind === 'NOT') throw badQuery('a term is missing between NOT and NOT', at);
      if (kind === '(' && open.push(at) > maxDepth) throw badQuery(`parentheses can be ${maxDepth} deep at most`, at);
      if (term && terms.push(term) > maxTerms) throw badQuery(`at most ${maxTerms} terms can be searched for`, at);
      if (!waiting) tidy.push('AND');
    }
    tidy.push(term ? `#${terms.length - 1}` : kind);
    waiting = kind === 'term' || kind === ')' ? undefined : { kind, at };
  }
  if (terms.length === 0) throw badQuery('there is no letter or digit to search for');
  if (waiting) throw badQuery(`a term is missing behind ${waiting.kind}`, waiting.at);
  if (open.length > 0) throw badQuery('this parenthesis is not closed', open.at(-1));
  return { structure: tidy.join(' '), terms };
}

/** What a term asks for; undefined for one that says nothing. */
function termOf(piece: Extract<Piece, { kind: 'term' }>, query: string, fields: readonly string[]): Term | undefined {
  const { text, field, quoted, at } = piece;
  if (field !== undefined && !fields.includes(field)) {
    const known = fields.map((name) => `${name}:`).join(', ');
    throw badQuery(`there is no field ${field}, only ${known}; put text that has a colon in quotes`, at);
  }
  if (!quoted) refuseForeign(text, field, query, at);
  const prefix = !quoted && text.endsWith('*');
  const words = wordsOf(text);
  if (words.length === 0) {
    if (prefix) throw badQuery('a word must begin in front of *', at);
    if (quoted || field !== undefined) throw badQuery('there is no letter or digit to search for', at);
    return undefined;
  }
  return { field, words, prefix };
}

/** Refuse what looks like a part of a query language but cannot be answered, rather than take it for words. */
function refuseForeign(text: string, field: string | undefined, query: string, at: number): void {
  const help = 'put it in quotes to search for it as text';
  if (/[*?]./su.test(text) || text.endsWith('?')) {
    throw badQuery(`only one * at the end of a word is a wildcard; ${help}`, at);
  }
  if (text.startsWith('/')) throw badQuery(`regular expressions are not supported; ${help}`, at);
  if (/^[[{]\S+ TO \S/.test(query.slice(at + (field?.length ?? -1) + 1)) || (field && /^[<>=[{]/.test(text))) {
    throw badQuery(`ranges and comparisons are not supported; ${help}`, at);
  }
  if (text === '&&' || text === '||') throw badQuery(`write ${text === '&&' ? 'AND' : 'OR'} instead of ${text}`, at);
  if (field === undefined && /^[A-Za-z_][\w.]*:$/.test(text)) {
    throw badQuery(`a word, a "phrase" or a prefix* is missing directly behind ${text}`, at);
  }
}

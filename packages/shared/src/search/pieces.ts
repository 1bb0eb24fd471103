import { invalidField, type PlatformError } from '../errors.ts';

/** A piece of a query, and where it begins, from 0. */
export type Piece = { at: number } & (
  | { kind: 'AND' | 'OR' | 'NOT' | '(' | ')' }
  | { kind: 'term'; text: string; field: string | undefined; quoted: boolean }
);

/** Each alternative can match in one way only, so that no text makes it slow. */
const pattern = new RegExp(
  [
    /(?<space>\s+)/,
    /(?<parenthesis>[()])/,
    // Several dashes, and one that stands alone, are punctuation.
    /(?<minus>-(?=[^\s)-]))/,
    /(?:(?<field>[A-Za-z_][\w.]*):)?(?:"(?<double>(?:[^"\\]|\\.)*)"|'(?<single>(?:[^'\\]|\\.)*)'|(?<bare>[^\s()"'][^\s()"]*))/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'suy',
);

/** The error for a query that cannot be understood: why and, when known, where. */
export function badQuery(issue: string, at?: number): PlatformError {
  const where = at === undefined ? '' : `position ${at + 1}: `;
  return invalidField('search', `${where}${issue}`, 'VALIDATION_INVALID_FORMAT');
}

/**
 * The operators, parentheses and terms of a query in their order.
 * @throws PlatformError VALIDATION_INVALID_FORMAT for a quote that is not closed or stands within a word
 */
export function* piecesOf(query: string): Generator<Piece> {
  for (let at = 0; at < query.length; at = pattern.lastIndex) {
    pattern.lastIndex = at;
    const found = pattern.exec(query);
    if (!found?.groups) throw badQuery(`the quote ${query[at]} is not closed`, at);
    const { space, parenthesis, minus, field, double, single, bare } = found.groups;
    // Another search may run before the next piece is asked for.
    const end = at + found[0].length;
    if (space === undefined) {
      if (parenthesis !== undefined) yield { kind: parenthesis as '(' | ')', at };
      else if (minus !== undefined) yield { kind: 'NOT', at };
      else if (field === undefined && (bare === 'AND' || bare === 'OR' || bare === 'NOT')) yield { kind: bare, at };
      else {
        const quoted = double ?? single;
        if (/[^\s()]/.test(query[end] ?? '')) throw badQuery('a space is missing between a quote and a word', end);
        yield quoted === undefined
          ? { kind: 'term', text: bare ?? '', field, quoted: false, at }
          : { kind: 'term', text: quoted.replace(/\\(.)/gsu, '$1'), field, quoted: true, at };
      }
    }
    pattern.lastIndex = end;
  }
}

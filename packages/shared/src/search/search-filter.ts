import { type LiqeQuery, parse, type TagToken } from 'liqe';
import { badQuery } from './pieces.ts';
import { type Term, tidyQuery } from './tidy-query.ts';

/** A condition of MongoDB. */
type Condition = Record<string, unknown>;

/** A part of a query. */
interface Part {
  condition: Condition;
  /** Every match has one of these words, so that an index of the words finds it; undefined when none is certain. */
  certain: readonly string[] | undefined;
}

/** Words of a phrase that an index is asked for, at most: the text of the phrase tells the rest. */
const maxIndexedWords = 8;

/** Greater than every letter and digit, so that words with a prefix lie below the prefix and this. */
const last = '\u{10ffff}';

/**
 * The condition that a query in the syntax of search is: words (all of them, unless OR stands between), "phrases",
 * prefix*, AND, OR, NOT and `-`, parentheses, `field:` before a word, phrase or prefix. AND binds closer than OR.
 * It is about the fields `terms` and `term_texts` of documents, as `searchTermsOf` makes them, and bounded by an index on
 * `terms` wherever the query names a word or a prefix that every match has; a query such as `NOT word` is to be combined
 * with another indexed condition. No pattern of the caller reaches the database.
 * @param fields as they were given to `searchTermsOf`
 * @throws PlatformError VALIDATION_INVALID_FORMAT for a query that cannot be understood, with what is wrong and where
 */
export function searchFilter(query: string, fields: readonly string[]): { $and: Condition[] } {
  const { structure, terms } = tidyQuery(query, fields);
  const partOf = (node: LiqeQuery): Part => {
    switch (node.type) {
      case 'Tag':
        return partOfTerm(terms[numberOf(node)], fields);
      case 'ParenthesizedExpression':
        return partOf(node.expression);
      case 'UnaryOperator':
        return { condition: { $nor: [partOf(node.operand).condition] }, certain: undefined };
      case 'LogicalExpression':
        return anyOf(groupsOf(node).map((group) => allOf(group.map(partOf))));
      default:
        throw badQuery('there is no letter or digit to search for');
    }
  };
  return { $and: [partOf(parsed(structure)).condition] };
}

function parsed(structure: string): LiqeQuery {
  try {
    return parse(structure);
  } catch {
    throw badQuery('the operators and parentheses do not fit together');
  }
}

/** The number of the term that a `#0` in the structure stands for. */
function numberOf({ expression }: TagToken): number {
  return 'value' in expression ? Number(String(expression.value).slice(1)) : Number.NaN;
}

/** The operands between the ORs of a chain. The parser takes AND and OR in turn from the left; AND binds closer here. */
function groupsOf(node: LiqeQuery): LiqeQuery[][] {
  if (node.type !== 'LogicalExpression') return [[node]];
  const groups = groupsOf(node.left);
  if (node.operator.operator === 'OR') groups.push([node.right]);
  else groups.at(-1)?.push(node.right);
  return groups;
}

function allOf(parts: Part[]): Part {
  if (parts.length === 1 && parts[0]) return parts[0];
  const certain = parts.flatMap((part) => (part.certain ? [part.certain] : [])).sort((a, b) => a.length - b.length)[0];
  return { condition: { $and: parts.map(({ condition }) => condition) }, certain };
}

function anyOf(parts: Part[]): Part {
  if (parts.length === 1 && parts[0]) return parts[0];
  const either = { $or: parts.map(({ condition }) => condition) };
  const words = parts.map(({ certain }) => certain);
  if (!words.every((each) => each !== undefined)) return { condition: either, certain: undefined };
  const certain = [...new Set(words.flat())];
  return { condition: { $and: [{ terms: { $in: certain } }, either] }, certain };
}

function partOfTerm(term: Term | undefined, fields: readonly string[]): Part {
  if (!term) throw badQuery('the operators and parentheses do not fit together');
  const { field, words, prefix } = term;
  const whole = new Set(prefix ? words.slice(0, -1) : words);
  // Longer words are rarer.
  const rarest = [...whole].sort((a, b) => b.length - a.length).slice(0, maxIndexedWords);
  const conditions: Condition[] = rarest.map((word) => ({ terms: word }));
  const beginning = prefix ? words.at(-1) : undefined;
  if (beginning !== undefined) conditions.push({ terms: { $elemMatch: { $gte: beginning, $lt: beginning + last } } });
  if (field !== undefined || words.length > 1) {
    const text = ` ${words.join(' ')}${prefix ? '' : ' '}`;
    const searched = field === undefined ? fields : [field];
    const holds = searched.map((name) => ({ $gte: [{ $indexOfBytes: [`$term_texts.${name}`, text] }, 0] }));
    conditions.push({ $expr: holds.length === 1 ? holds[0] : { $or: holds } });
  }
  const [only] = conditions;
  const condition = conditions.length === 1 && only ? only : { $and: conditions };
  return { condition, certain: rarest.length === 0 ? undefined : rarest.slice(0, 1) };
}

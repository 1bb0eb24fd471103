/** Words that one document is found by, at most. */
const maxTerms = 1_000;
/** Characters of normalized text that one document is searched for phrases in, at most. */
const maxTextLength = 40_000;
/** Keeps the values of a list apart, so that no phrase reaches from one into the next. No word contains it. */
const boundary = '|';

/** Text that a document is found by: a string, or a list of them, such as tags. */
export type SearchedText = string | readonly string[] | null | undefined;

/** What is stored of a document for search, made anew whenever one of its texts changes. */
export interface SearchTerms {
  /** Its words, each once; to be indexed. */
  terms: string[];
  /** By field, its words in their order with a space around each: phrases and words of one field are checked in it. */
  term_texts: Record<string, string>;
}

/**
 * A text as search and sorting compare it: lower case, without accents and other marks. The same for what is stored and
 * for what is asked, so that an index answers.
 */
export function normalized(text: string): string {
  // A sigma is written otherwise at the end of a word, which the beginning of a word must not depend on.
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('ς', 'σ');
}

/** The words of a text in their order: runs of letters and digits, long ones in pieces of 64. */
export function wordsOf(text: string): string[] {
  return normalized(text).match(/[\p{L}\p{N}]{1,64}/gu) ?? [];
}

/**
 * What to store of a document for search. Words beyond the bounds are not found, so the most telling field comes first.
 * @param fields by the name that queries call them: `{title: 'Log in', tag: ['security']}`
 */
export function searchTermsOf(fields: Readonly<Record<string, SearchedText>>): SearchTerms {
  const terms = new Set<string>();
  const term_texts: Record<string, string> = {};
  let left = maxTextLength;
  for (const [field, text] of Object.entries(fields)) {
    const values = typeof text === 'string' ? [text] : (text ?? []);
    const kept: string[] = [];
    for (const word of values.flatMap((value) => [...wordsOf(value), boundary])) {
      left -= word.length + 1;
      if (left < 0) break;
      kept.push(word);
      if (word !== boundary && terms.size < maxTerms) terms.add(word);
    }
    if (kept.at(-1) === boundary) kept.pop();
    term_texts[field] = ` ${kept.join(' ')} `;
  }
  return { terms: [...terms], term_texts };
}

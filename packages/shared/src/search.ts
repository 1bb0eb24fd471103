/** Terms that one text is indexed by, at most. */
const maxTerms = 500;

/**
 * The words of a text as search knows them: lower case, without accents, split at everything that is neither letter nor
 * digit, each once. The same for what is stored and for what is asked, so that an index answers.
 */
export function searchTerms(...texts: (string | undefined)[]): string[] {
  const normalized = texts.join(' ').normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const words = normalized.match(/[\p{L}\p{N}]{1,64}/gu) ?? [];
  return [...new Set(words)].slice(0, maxTerms);
}

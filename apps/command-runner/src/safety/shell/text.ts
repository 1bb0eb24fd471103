/*
 * Text of a word as far as it can be told before the command runs. What cannot be told, and what the shell matches against
 * names of files, stands in it as a character of the private use area, which no name of a system file contains.
 */

/** Text that only the run decides. */
export const unknown = '\uE000';
/** Text that only the run decides, and that comes from the network or out of an encoding. */
export const foreign = '\uE001';
/** An active `*`. */
export const anyText = '\uE002';
/** An active `?` or `[…]`. */
export const anyCharacter = '\uE003';

/** Longest text that is followed; a longer one counts as unknown. */
const mostText = 20_000;

/** Whether all of a text is known, apart from patterns. */
export function isKnown(text: string): boolean {
  return !text.includes(unknown) && !text.includes(foreign);
}

/** Whether a text has patterns that the shell matches against names of files. */
export function hasPattern(text: string): boolean {
  return text.includes(anyText) || text.includes(anyCharacter);
}

/** A text of bounded length: one that grows beyond is not followed any further. */
export function bounded(text: string): string {
  if (text.length <= mostText) return text;
  return text.includes(foreign) ? foreign : unknown;
}

/** What is unknown after a program has worked on a text: foreign text stays foreign. */
export function derivedFrom(text: string | undefined): string {
  return text?.includes(foreign) ? foreign : unknown;
}

/** An unquoted expansion: its pattern characters are active. */
export function withPatterns(text: string): string {
  return text
    .replace(/\*/g, anyText)
    .replace(/\[[^\]\s/]+\]/g, anyCharacter)
    .replace(/\?/g, anyCharacter);
}

/** Whether a pattern fits a whole name. Takes time in proportion to the product of the lengths, at most. */
export function matches(pattern: string, name: string): boolean {
  let [at, mark, resume] = [0, -1, 0];
  let i = 0;
  while (i < name.length) {
    if (pattern[at] === anyText) {
      mark = at++;
      resume = i;
    } else if (at < pattern.length && (pattern[at] === anyCharacter || pattern[at] === name[i])) {
      at++;
      i++;
    } else if (mark >= 0) {
      at = mark + 1;
      i = ++resume;
    } else return false;
  }
  while (pattern[at] === anyText) at++;
  return at === pattern.length;
}

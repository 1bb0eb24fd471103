import { TooComplex } from './source.ts';
import type { Part, Word } from './syntax.ts';

/** Most words that one word may become, and most parts of them together. */
const most = { words: 256, parts: 20_000, braces: 64 };

/** The words that braces make of a word: `{a,b}c` is `ac` and `bc`. @throws TooComplex */
export function expandBraces(word: Word): Word[] {
  if (!word.some((part) => isActive(part) && part.text.includes('{'))) return [word];
  let words: Word[] = [characters(word)];
  if (words.flat().filter((part) => is(part, '{')).length > most.braces) throw new TooComplex();
  for (;;) {
    const next = words.flatMap(expandFirst);
    if (next.length === words.length) return words;
    const parts = next.reduce((sum, each) => sum + each.length, 0);
    if (next.length > most.words || parts > most.parts) throw new TooComplex();
    words = next;
  }
}

function isActive(part: Part): part is Extract<Part, { kind: 'text' }> {
  return part.kind === 'text' && !part.quoted;
}

/** Unquoted text one character a part, so that a part is a brace or none. */
function characters(word: Word): Word {
  return word.flatMap((part): Part[] => (isActive(part) ? [...part.text].map((text) => ({ ...part, text })) : [part]));
}

function expandFirst(word: Word): Word[] {
  for (let start = 0; start < word.length; start++) {
    if (!is(word[start], '{')) continue;
    const found = alternatives(word, start);
    if (!found) continue;
    const [before, after] = [word.slice(0, start), word.slice(found.end + 1)];
    return found.choices.map((choice) => [...before, ...choice, ...after]);
  }
  return [word];
}

function alternatives(word: Word, start: number): { choices: Word[]; end: number } | undefined {
  const choices: Part[][] = [[]];
  for (let [at, open] = [start + 1, 0]; at < word.length; at++) {
    const part = word[at];
    if (!part) break;
    if (is(part, '}') && open === 0) return choices.length > 1 ? { choices, end: at } : undefined;
    if (is(part, ',') && open === 0) {
      choices.push([]);
      continue;
    }
    if (is(part, '{')) open++;
    if (is(part, '}')) open--;
    choices.at(-1)?.push(part);
  }
  return undefined;
}

function is(part: Part | undefined, character: string): boolean {
  return part !== undefined && isActive(part) && part.text === character;
}

import { expandBraces } from './braces.ts';
import { readRedirection } from './read-redirection.ts';
import { atWord, readWord } from './read-word.ts';
import { type Source, Unreadable } from './source.ts';
import type { Assignment, Redirection, Simple, Word } from './syntax.ts';

const assignment = /[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/y;

/** Read a program with its arguments, or assignments alone. */
export function readSimple(source: Source): Simple {
  const assignments: Assignment[] = [];
  const words: Word[] = [];
  const redirections: Redirection[] = [];
  for (;;) {
    source.skipBlanks();
    const redirection = readRedirection(source);
    if (redirection) {
      redirections.push(redirection);
      continue;
    }
    if (!atWord(source)) break;
    const name = words.length === 0 ? source.take(assignment) : undefined;
    if (name !== undefined) assignments.push(readAssignment(source, name));
    else words.push(...expandBraces(readArgument(source)));
  }
  if (assignments.length + words.length + redirections.length === 0) {
    throw new Unreadable(source.ended ? 'a command is missing' : `${source.next} is not expected`);
  }
  return { kind: 'simple', assignments, words, redirections };
}

function readAssignment(source: Source, head: string): Assignment {
  const name = head.replace(/[[+=].*/s, '');
  const appends = head.endsWith('+=') || head.includes('[');
  if (source.startsWith('(')) return { name, appends, values: readArray(source) };
  return { name, appends, values: [readWord(source)] };
}

/** An argument may be an array, as in `declare -a names=(…)`. */
function readArgument(source: Source): Word {
  const word = readWord(source);
  const last = word.at(-1);
  if (!source.startsWith('(') || last?.kind !== 'text' || !last.text.endsWith('=')) return word;
  return [...word, ...readArray(source).flat()];
}

function readArray(source: Source): Word[] {
  source.expect('(');
  const words: Word[] = [];
  for (;;) {
    source.skipLines();
    if (source.skip(')')) return words;
    if (!atWord(source)) throw new Unreadable(') is missing');
    words.push(...expandBraces(readWord(source)));
  }
}

import { decodeEscapes } from './escapes.ts';
import { readExpansion } from './read-expansion.ts';
import { type Source, Unreadable } from './source.ts';
import type { Part, Word } from './syntax.ts';
import { anyCharacter, anyText } from './text.ts';

/** Characters that end a word unless they are quoted. */
const metacharacters = ' \t\r\n;&|()<>';

/** How the characters of a word are read. */
export interface Manner {
  /** Characters that end it. */
  ends: string;
  /** Single quotes are plain characters, and a backslash quotes only what is special inside of double quotes. */
  doubleQuoted: boolean;
}

const plain: Manner = { ends: metacharacters, doubleQuoted: false };
const document: Manner = { ends: '', doubleQuoted: true };

/** Whether a word starts here. */
export function atWord(source: Source): boolean {
  if (source.ended) return false;
  return !metacharacters.includes(source.next) || source.peek(/[<>]\(/y) !== undefined;
}

/** Read a word. Empty when none starts here. */
export function readWord(source: Source): Word {
  return readParts(source, plain);
}

/** Read the body of a here-document whose delimiter was not quoted. */
export function readDocument(source: Source): Word {
  return readParts(source, document);
}

/** Read the parts of a word until a character that ends it, which is left. */
export function readParts(source: Source, manner: Manner): Word {
  return source.nested(() => {
    const parts: Part[] = [];
    while (!source.ended) {
      const { next } = source;
      if (manner.ends.includes(next) && !(manner === plain && source.peek(/[<>]\(/y))) break;
      if (source.peek(manner.doubleQuoted ? /"/y : /\$?"/y) && manner !== document)
        parts.push(...readDoubleQuotes(source));
      else append(parts, readPart(source, manner.doubleQuoted));
    }
    return parts;
  });
}

function append(parts: Part[], part: Part): void {
  const last = parts.at(-1);
  if (last?.kind === 'text' && part.kind === 'text' && last.quoted === part.quoted) last.text += part.text;
  else parts.push(part);
}

function readPart(source: Source, doubleQuoted: boolean): Part {
  const { next } = source;
  if (!doubleQuoted && source.peek(/[<>]\(/y)) return readProcess(source);
  if (!doubleQuoted && source.skip("$'")) {
    return { kind: 'text', text: decodeEscapes(readUntilQuote(source, true)), quoted: true };
  }
  const expansion = next === '$' || next === '`' ? readExpansion(source, doubleQuoted) : undefined;
  if (expansion) return expansion;
  if (doubleQuoted) return readDoubleQuotedText(source);
  source.at++;
  if (next === "'") return { kind: 'text', text: readUntilQuote(source, false), quoted: true };
  if (next === '\\') return { kind: 'text', text: source.text[source.at++] ?? '\\', quoted: true };
  return { kind: 'text', text: activeText(source, next), quoted: false };
}

function readDoubleQuotes(source: Source): Word {
  source.skip('$');
  source.expect('"');
  const inside = readParts(source, { ends: '"', doubleQuoted: true });
  source.expect('"');
  return inside.length > 0 ? inside : [{ kind: 'text', text: '', quoted: true }];
}

function readDoubleQuotedText(source: Source): Part {
  const run = source.take(/[^"$`\\}\]\n]+/y);
  if (run !== undefined) return { kind: 'text', text: run, quoted: true };
  const escaped = source.take(/\\[$`"\\]/y);
  if (escaped) return { kind: 'text', text: escaped.slice(1), quoted: true };
  return { kind: 'text', text: source.text[source.at++] ?? '', quoted: true };
}

function readUntilQuote(source: Source, escapes: boolean): string {
  const start = source.at;
  for (; source.at < source.text.length; source.at++) {
    if (escapes && source.text[source.at] === '\\') source.at++;
    else if (source.text[source.at] === "'") return source.text.slice(start, source.at++);
  }
  throw new Unreadable('a quote is not closed');
}

/** Unquoted text: a pattern character is marked as active. */
function activeText(source: Source, character: string): string {
  if ('?*+@!'.includes(character) && source.text[source.at] === '(') {
    skipParentheses(source);
    return anyText;
  }
  if (character === '*') return anyText;
  if (character === '?') return anyCharacter;
  if (character === '[' && source.take(/[!^]?\]?[^\]\s'"\\$`/;&|<>()]*\]/y)) return anyCharacter;
  return character;
}

function skipParentheses(source: Source): void {
  let open = 0;
  for (; source.at < source.text.length; source.at++) {
    const character = source.text[source.at];
    if (character === '\\') source.at++;
    else if (character === '(') open++;
    else if (character === ')' && --open === 0) {
      source.at++;
      return;
    }
  }
  throw new Unreadable(') is missing');
}

function readProcess(source: Source): Part {
  const reads = source.next === '<';
  source.at += 2;
  return { kind: 'process', script: source.readScript(), reads };
}

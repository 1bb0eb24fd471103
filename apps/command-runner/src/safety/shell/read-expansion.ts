import { readParts } from './read-word.ts';
import { type Source, Unreadable } from './source.ts';
import type { Part, Word } from './syntax.ts';

/** Read `$…` or a backquoted command. Undefined, and nothing is read, when the dollar sign is a plain one. */
export function readExpansion(source: Source, quoted: boolean): Part | undefined {
  if (source.skip('`')) return readBackquotes(source, quoted);
  if (source.startsWith('$((')) {
    return source.nested(() =>
      source.attempt(
        () => readArithmetic(source, 3),
        () => readSubstitution(source, quoted),
      ),
    );
  }
  if (source.startsWith('$(')) return readSubstitution(source, quoted);
  if (source.skip('${')) return source.nested(() => readBraces(source, quoted));
  const name = source.take(/\$(?:[A-Za-z_]\w*|[0-9@*#?$!-])/y)?.slice(1);
  return name === undefined
    ? undefined
    : { kind: 'variable', name, operator: '', argument: [], quoted, apart: name === '@' };
}

function readSubstitution(source: Source, quoted: boolean): Part {
  source.at += 2;
  return { kind: 'substitution', script: source.readScript(), quoted };
}

/** Read arithmetic up to its two closing parentheses. What is expanded inside is kept, the numbers are not. */
export function readArithmetic(source: Source, opening: number): Part {
  source.at += opening;
  const inside: Part[] = [];
  for (let open = 0; !source.ended; ) {
    const { next } = source;
    if (next === ')' && open === 0) {
      source.expect('))');
      return { kind: 'opaque', inside };
    }
    const expansion = next === '$' || next === '`' ? readExpansion(source, true) : undefined;
    if (expansion) {
      inside.push(expansion);
      continue;
    }
    if (next === '(') open++;
    if (next === ')') open--;
    source.at += next === '\\' ? 2 : 1;
  }
  throw new Unreadable(')) is missing');
}

function readBackquotes(source: Source, quoted: boolean): Part {
  const raw = source.take(/(?:[^`\\]|\\[\s\S])*/y) ?? '';
  source.expect('`');
  const text = raw.replace(quoted ? /\\([$`\\"])/g : /\\([$`\\])/g, '$1');
  return { kind: 'substitution', script: source.inner(text).readAll(), quoted };
}

function readBraces(source: Source, quoted: boolean): Part {
  const prefix = source.take(/[#!](?=[A-Za-z_@*0-9])/y);
  const name = source.take(/[A-Za-z_]\w*|\d+|[@*#?$!-]/y);
  if (name === undefined) throw new Unreadable('a parameter has no name');
  const all = source.take(/\[[@*]\]/y);
  const subscript = all === undefined && source.skip('[') ? readSubscript(source, quoted) : undefined;
  const operator = source.take(/:?[-=?+]|##?|%%?|\/[/#%]?|\^\^?|,,?|@|:/y) ?? '';
  const argument = readParts(source, { ends: '}', doubleQuoted: quoted });
  source.expect('}');
  if (prefix || subscript) return { kind: 'opaque', inside: [...(subscript ?? []), ...argument] };
  return { kind: 'variable', name, operator, argument, quoted, apart: name === '@' || all === '[@]' };
}

function readSubscript(source: Source, quoted: boolean): Word {
  const subscript = readParts(source, { ends: ']', doubleQuoted: quoted });
  source.expect(']');
  return subscript;
}

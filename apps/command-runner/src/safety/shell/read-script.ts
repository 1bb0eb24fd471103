import { readCompound } from './read-compound.ts';
import { readSimple } from './read-simple.ts';
import { Source, TooComplex, Unreadable } from './source.ts';
import type { Node, Script, Statement } from './syntax.ts';

/** Most statements of one list that are read. */
const mostStatements = 2_000;

/** Words that end a list of commands when they come first. */
const closing = /(?:then|else|elif|fi|do|done|esac|\})(?![^\s;&|()<>])/y;

/** Read a whole command. @throws Unreadable, TooComplex */
export function readShell(text: string): Script {
  return new Source(text, readList).readAll();
}

/** Read commands until something that is none of them: the end, a closing parenthesis, `;;` or a closing word. */
function readList(source: Source): Script {
  return source.nested(() => {
    const statements: Statement[] = [];
    for (;;) {
      source.skipLines();
      if (source.ended || source.next === ')' || source.startsWith(';;') || source.startsWith(';&')) break;
      if (source.peek(closing) !== undefined) break;
      if (statements.push(readStatement(source)) > mostStatements) throw new TooComplex();
    }
    return statements;
  });
}

function readStatement(source: Source): Statement {
  const start = source.at;
  const node = readAndOr(source);
  source.skipBlanks();
  const background = source.next === '&';
  if (background || (source.next === ';' && source.peek(/;[;&]/y) === undefined)) source.at++;
  else if (!atEndOfStatement(source)) throw new Unreadable(`${source.next} is not expected`);
  return { node, background, start };
}

function atEndOfStatement(source: Source): boolean {
  return source.ended || source.next === '\n' || source.next === ')' || source.next === ';';
}

function readAndOr(source: Source): Node {
  const { at } = source;
  const first = readPipeline(source);
  const script: Statement[] = [{ node: first, background: false, start: at }];
  for (;;) {
    source.skipBlanks();
    if (!source.skip('&&') && !source.skip('||')) break;
    source.skipLines();
    const start = source.at;
    script.push({ node: readPipeline(source), background: false, start });
  }
  return script.length === 1 ? first : { kind: 'block', script, subshell: false, words: [], redirections: [] };
}

function readPipeline(source: Source): Node {
  while (source.take(/(?:!|time(?:[ \t]+-p)?)(?=[\s(])/y) !== undefined || source.peek(/!\(/y)) {
    source.skip('!');
    source.skipBlanks();
  }
  const stages = [readCommand(source)];
  for (;;) {
    source.skipBlanks();
    if (source.startsWith('||') || !(source.skip('|&') || source.skip('|'))) break;
    source.skipLines();
    stages.push(readCommand(source));
  }
  const [only] = stages;
  return only && stages.length === 1 ? only : { kind: 'pipeline', stages };
}

function readCommand(source: Source): Node {
  return source.nested(() => readCompound(source, readCommand) ?? readSimple(source));
}

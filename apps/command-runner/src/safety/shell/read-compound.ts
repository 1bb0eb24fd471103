import { readArithmetic } from './read-expansion.ts';
import { readRedirection } from './read-redirection.ts';
import { atWord, readWord } from './read-word.ts';
import { type Source, Unreadable } from './source.ts';
import type { Block, For, Loop, Node, Redirection, Script, Statement, Word } from './syntax.ts';

/** Reads one command. */
type ReadCommand = (source: Source) => Node;

/** A word of the grammar; it must stand alone. */
const reserved = /(?:if|while|until|for|select|case|function|\[\[|\{)(?![^\s;&|()<>])/y;

const functionHead = /[^\s;&|()<>'"\\$`#=]+[ \t]*\([ \t]*\)/y;

/** Read a command that consists of commands. Undefined, and nothing is read, when none starts here. */
export function readCompound(source: Source, readCommand: ReadCommand): Node | undefined {
  if (source.startsWith('((')) return readDoubleParentheses(source);
  if (source.skip('(')) return finish(source, { ...block(source.readScript()), subshell: true });
  const head = source.take(functionHead);
  if (head !== undefined) return readFunction(source, head.replace(/[ \t]*\(.*/, ''), readCommand);
  const word = source.take(reserved);
  if (word === undefined) return undefined;
  if (word === 'if') return finish(source, block(readIf(source)));
  if (word === 'while' || word === 'until') return readLoop(source, word);
  if (word === 'for' || word === 'select') return readFor(source);
  if (word === 'case') return readCase(source);
  if (word === '[[') return readTest(source);
  if (word === '{') return finish(source, block(readUntil(source, '}')));
  return readFunction(source, functionName(source), readCommand);
}

function block(script: Script, words: readonly Word[] = []): Block {
  return { kind: 'block', script, subshell: false, words, redirections: [] };
}

function finish<N extends { redirections: readonly Redirection[] }>(source: Source, node: N): N {
  return { ...node, redirections: readRedirections(source) };
}

function readRedirections(source: Source): Redirection[] {
  const redirections: Redirection[] = [];
  for (;;) {
    source.skipBlanks();
    const redirection = readRedirection(source);
    if (!redirection) return redirections;
    redirections.push(redirection);
  }
}

/** Read commands up to a word of the grammar, which is passed over. */
function readUntil(source: Source, word: string): Script {
  const script = source.readList();
  if (!takeReserved(source, word)) throw new Unreadable(`${word} is missing`);
  return script;
}

function takeReserved(source: Source, word: string): boolean {
  const { at } = source;
  if (source.skip(word) && source.peek(/[^\s;&|()<>]/y) === undefined) return true;
  source.at = at;
  return false;
}

/**
 * `((…))` is arithmetic for one shell and two subshells for another: read as commands when that is possible, because those
 * can do harm.
 */
function readDoubleParentheses(source: Source): Node {
  const asCommands = () => {
    source.at += 1;
    return { ...block(source.readScript()), subshell: true };
  };
  const asArithmetic = () => block([], [[readArithmetic(source, 2)]]);
  return source.nested(() => finish(source, source.attempt<Block>(asCommands, asArithmetic)));
}

function readIf(source: Source): Statement[] {
  const statements = [...readUntil(source, 'then')];
  for (;;) {
    statements.push(...source.readList());
    if (takeReserved(source, 'fi')) return statements;
    if (takeReserved(source, 'elif')) statements.push(...readUntil(source, 'then'));
    else if (!takeReserved(source, 'else')) throw new Unreadable('fi is missing');
  }
}

function readLoop(source: Source, word: 'while' | 'until'): Node {
  const condition = readUntil(source, 'do');
  const body = readUntil(source, 'done');
  const goesOn = word === 'while' ? 'success' : 'failure';
  return finish<Loop>(source, { kind: 'loop', condition, body, goesOn, redirections: [] });
}

function readFor(source: Source): Node {
  source.skipBlanks();
  if (source.startsWith('((')) {
    const { at } = source;
    const words = [[readArithmetic(source, 2)]];
    const endless = /^\(\([^;]*;\s*;/.test(source.text.slice(at, source.at));
    const body = readLoopBody(source);
    return endless
      ? finish<Loop>(source, { kind: 'loop', condition: [], body, goesOn: 'always', redirections: [] })
      : finish(source, block(body, words));
  }
  const name = source.take(/[A-Za-z_]\w*/y);
  if (name === undefined) throw new Unreadable('a loop has no variable');
  source.skipLines();
  const items = takeReserved(source, 'in') ? readWords(source) : undefined;
  return finish<For>(source, { kind: 'for', name, items, body: readLoopBody(source), redirections: [] });
}

function readLoopBody(source: Source): Script {
  source.skipBlanks();
  source.skip(';');
  source.skipLines();
  if (takeReserved(source, '{')) return readUntil(source, '}');
  if (!takeReserved(source, 'do')) throw new Unreadable('do is missing');
  return readUntil(source, 'done');
}

function readWords(source: Source): Word[] {
  const words: Word[] = [];
  for (;;) {
    source.skipBlanks();
    if (!atWord(source)) return words;
    words.push(readWord(source));
  }
}

function readCase(source: Source): Node {
  source.skipBlanks();
  const words = [readWord(source)];
  source.skipLines();
  if (!takeReserved(source, 'in')) throw new Unreadable('in is missing');
  const statements: Statement[] = [];
  for (;;) {
    source.skipLines();
    if (takeReserved(source, 'esac')) break;
    source.skip('(');
    do words.push(...readWords(source));
    while (source.skip('|'));
    source.expect(')');
    statements.push(...source.readList());
    if (source.take(/;;&|;;|;&/y) === undefined && !source.peek(/esac\b/y)) throw new Unreadable('esac is missing');
  }
  return finish(source, block(statements, words));
}

/**
 * `[[ … ]]` is a test for one shell and a program with redirections for another: what follows `>` counts as a file that is
 * written.
 */
function readTest(source: Source): Node {
  const words: Word[] = [[{ kind: 'text', text: '[[', quoted: false }]];
  const written: Redirection[] = [];
  for (;;) {
    source.skipLines();
    if (source.ended) throw new Unreadable(']] is missing');
    if (takeReserved(source, ']]')) break;
    const operator = atWord(source) ? undefined : source.take(/>>?|[&|()<;]/y);
    if (operator?.startsWith('>')) {
      source.skipBlanks();
      written.push({ descriptor: '', operator, target: readWord(source) });
    } else if (operator === undefined) words.push(readWord(source));
  }
  const node: Node = { kind: 'simple', assignments: [], words, redirections: written };
  return { ...node, redirections: [...written, ...readRedirections(source)] };
}

function functionName(source: Source): string {
  source.skipBlanks();
  const name = source.take(/[^\s;&|()<>'"\\$`]+/y);
  if (name === undefined) throw new Unreadable('a function has no name');
  source.skipBlanks();
  source.take(/\([ \t]*\)/y);
  return name;
}

function readFunction(source: Source, name: string, readCommand: ReadCommand): Node {
  source.skipLines();
  return { kind: 'function', name, body: readCommand(source) };
}

import type { Part, Script, Variable, Word } from '../shell/syntax.ts';
import { bounded, derivedFrom, unknown, withPatterns } from '../shell/text.ts';
import type { Scope } from './scope.ts';

/** What expansion needs of the shell around it. */
export interface Shell {
  scope: Scope;
  /** What a command writes, run in a subshell. */
  capture: (script: Script, stdin?: string) => string;
}

/** The fields that a word becomes: none, one or several. */
export function fieldsOf(word: Word, shell: Shell): string[] {
  const fields: string[] = [];
  let current: string | undefined;
  const end = () => {
    if (current !== undefined) fields.push(bounded(current));
    current = undefined;
  };
  for (const [index, part] of word.entries()) {
    const values = valuesOf(part, index === 0, shell);
    if (part.kind === 'text' || !('quoted' in part) || part.quoted) {
      // "$@" keeps the parameters apart, everything else quoted is one text.
      const several = part.kind === 'variable' && part.apart && part.operator === '';
      const texts = several ? values : [values.join(' ')];
      texts.forEach((text, position) => {
        if (position > 0) end();
        current = (current ?? '') + text;
      });
      continue;
    }
    const separator = separatorsOf(shell.scope);
    for (const value of values) {
      if (value !== values[0]) end();
      withPatterns(value)
        .split(separator)
        .forEach((text, position) => {
          if (position > 0) end();
          if (text !== '') current = (current ?? '') + text;
        });
    }
  }
  end();
  return fields;
}

/** The text that a word becomes where it is not split, as in an assignment. */
export function textOf(word: Word, shell: Shell): string {
  return bounded(word.map((part, index) => valuesOf(part, index === 0, shell).join(' ')).join(''));
}

function separatorsOf(scope: Scope): RegExp {
  const set = scope.values('IFS')[0] ?? ' \t\n';
  return set === '' ? /(?!)/ : new RegExp(`[${set.replace(/[\]\\^-]/g, '\\$&')}]+`);
}

function valuesOf(part: Part, first: boolean, shell: Shell): readonly string[] {
  switch (part.kind) {
    case 'text':
      return [first && !part.quoted ? withHome(part.text, shell.scope) : part.text];
    case 'variable':
      return variableValues(part, shell);
    case 'substitution':
      return [bounded(shell.capture(part.script).replace(/\n+$/, ''))];
    case 'process':
      return [derivedFrom(shell.capture(part.script, part.reads ? undefined : unknown))];
    case 'opaque':
      textOf(part.inside, shell);
      return [unknown];
  }
}

function withHome(text: string, scope: Scope): string {
  const user = /^~([\w.+-]*)(?=\/|$)/.exec(text)?.[1];
  if (user === undefined) return text;
  const rest = text.slice(user.length + 1);
  if (user === '') return (scope.values('HOME')[0] ?? unknown) + rest;
  if (user === '+') return scope.directory + rest;
  return (user === 'root' ? '/root' : `/home/${user}`) + rest;
}

/** `${name operator argument}` */
function variableValues({ name, operator, argument, quoted }: Variable, shell: Shell): readonly string[] {
  const { scope } = shell;
  const values = parameterValues(name, scope).map(bounded);
  if (operator === '') return values;
  const text = values.join(' ');
  // Evaluated in any case: a command inside is found even where it would not be run.
  const other = quoted ? [textOf(argument, shell)] : fieldsOf(argument, shell);
  const missing = values.length === 0 || (operator.startsWith(':') && text === '');
  switch (operator.replace(/^:(?=.)/, '')) {
    case '-':
      return missing ? other : values;
    case '=':
      if (missing) scope.set(name, other);
      return missing ? other : values;
    case '+':
      return missing ? [] : other;
    case '?':
      // The shell ends here when there is nothing.
      return missing ? [unknown] : values;
    case ':':
      return [partOf(text, other.join(' '))];
    default:
      return [text === '' ? '' : derivedFrom(text)];
  }
}

function parameterValues(name: string, scope: Scope): readonly string[] {
  if (name === '*') return scope.values('@');
  if (!/^[1-9]\d*$/.test(name)) return scope.values(name);
  const parameters = scope.values('@');
  const parameter = parameters[Number(name) - 1];
  if (parameter !== undefined) return [parameter];
  return parameters.at(-1) === unknown ? [unknown] : [];
}

/** `${name:offset:length}` with plain numbers. */
function partOf(text: string, range: string): string {
  const [, offset, length] = /^ *(\d+)(?: *: *(\d+))?$/.exec(range) ?? [];
  if (offset === undefined) return derivedFrom(text);
  return text.slice(Number(offset), length === undefined ? undefined : Number(offset) + Number(length));
}

import type { Loop, Node, Script, Simple } from '../shell/syntax.ts';

/** Programs that make a loop wait, or leave it. */
const brakes = new Set(['sleep', 'wait', 'break', 'exit', 'return', 'read', 'exec']);

/** A program that syntax names, and whether it gets a process beside the one that runs it. */
interface Called {
  name: string;
  apart: boolean;
}

/** The name of a program as far as syntax alone tells it. */
function nameOf({ words }: Simple): string {
  return (words[0] ?? []).map((part) => (part.kind === 'text' ? part.text : '')).join('');
}

/** The programs in a part of a command, at any depth. */
function* calledIn(node: Node, apart = false): Generator<Called> {
  if (node.kind === 'simple') {
    yield { name: nameOf(node), apart };
    for (const part of node.words.flat()) if (part.kind === 'substitution') yield* calledInScript(part.script, true);
  } else if (node.kind === 'pipeline') for (const stage of node.stages) yield* calledIn(stage, true);
  else if (node.kind === 'function') yield* calledIn(node.body, apart);
  else if (node.kind === 'block') yield* calledInScript(node.script, apart || node.subshell);
  else {
    if (node.kind === 'loop') yield* calledInScript(node.condition, apart);
    yield* calledInScript(node.body, apart);
  }
}

function* calledInScript(script: Script, apart: boolean): Generator<Called> {
  for (const { node, background } of script) yield* calledIn(node, apart || background);
}

/** Whether a function starts itself in a process beside its own, directly or by way of others. */
export function multiplies(functions: ReadonlyMap<string, Node>): boolean {
  const calls = new Map<string, Called[]>();
  for (const [name, body] of functions) {
    calls.set(
      name,
      [...calledIn(body)].filter((called) => functions.has(called.name)),
    );
  }
  const reaches = (from: string, to: string): boolean => {
    const seen = new Set([from]);
    for (const name of seen) {
      if (name === to) return true;
      for (const called of calls.get(name) ?? []) seen.add(called.name);
    }
    return false;
  };
  return [...calls].some(([name, called]) => called.some((each) => each.apart && reaches(each.name, name)));
}

/** Whether a loop that never ends starts processes without waiting for any. */
export function floods({ condition, body, goesOn }: Loop): boolean {
  const endless = goesOn === 'always' || isConstant(condition, goesOn === 'success' ? /^(?::|true)$/ : /^false$/);
  const background = body.some((statement) => statement.background);
  return endless && background && ![...calledInScript(body, false)].some(({ name }) => brakes.has(name));
}

function isConstant([first, ...others]: Script, name: RegExp): boolean {
  if (!first || others.length > 0 || first.node.kind !== 'simple') return false;
  const test = first.node;
  return name.test(nameOf(test)) || (nameOf(test) === '[' && test.words.length === 3 && name.source.includes('true'));
}

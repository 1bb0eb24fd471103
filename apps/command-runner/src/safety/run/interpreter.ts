import type { Invocation, Objection } from '../rules/rule.ts';
import { forkBomb } from '../rules/scripts.ts';
import { readShell } from '../shell/read-script.ts';
import { TooComplex } from '../shell/source.ts';
import type { For, Node, Script, Simple } from '../shell/syntax.ts';
import { bounded, derivedFrom, foreign, isKnown, unknown } from '../shell/text.ts';
import { applyBuiltin, assign } from './builtins.ts';
import { fieldsOf, type Shell, textOf } from './expand.ts';
import { floods, multiplies } from './fork-bombs.ts';
import { outputOf } from './outputs.ts';
import type { Place } from './place.ts';
import { programOf } from './programs.ts';
import { redirected } from './redirect.ts';
import { Scope } from './scope.ts';
import { isReadable, scriptOf } from './shells.ts';
import { innerOf } from './wrappers.ts';

/** Most programs that are followed: loops and functions count as often as they would run them. */
const mostPrograms = 4_000;
/** Deepest nesting of scripts in scripts, functions and wrappers that is followed. */
const mostDepth = 20;

/** Files and input of a program, apart from its arguments. */
type Files = Pick<Invocation, 'stdin' | 'writes' | 'reads'>;

/**
 * Goes through a command as a shell would, without running anything: it expands what can be told, follows functions,
 * loops, scripts in arguments and programs that run others, and reports every program that would be run.
 */
export class Interpreter {
  readonly #place: Place;
  readonly #report: (invocation: Invocation) => void;
  readonly #object: (objection: Objection) => void;
  readonly #functions = new Map<string, Node>();
  readonly #called = new Set<Node>();
  readonly #active = new Set<Node>();
  #programs = 0;
  #depth = 0;

  constructor(place: Place, report: (invocation: Invocation) => void, object: (objection: Objection) => void) {
    this.#place = place;
    this.#report = report;
    this.#object = object;
  }

  /** Go through a whole command. @throws TooComplex, Unreadable */
  run(script: Script): void {
    const { directory, home, runnerPids, environment } = this.#place;
    const scope = new Scope();
    const variables = {
      HOME: home,
      PPID: String(runnerPids[0]),
      IFS: ' \t\n',
      '0': '/bin/sh',
      ...environment,
      PWD: directory,
    };
    for (const [name, value] of Object.entries(variables)) scope.set(name, [value]);
    this.#script(script, scope, undefined);
    // A function that nobody was seen to call may be called all the same, with anything.
    for (const body of this.#functions.values()) {
      if (this.#called.has(body)) continue;
      const inside = scope.fork();
      inside.set('@', [unknown]);
      this.#node(body, inside, undefined);
    }
    if (multiplies(this.#functions)) this.#object(forkBomb);
  }

  #script(script: Script, scope: Scope, stdin: string | undefined): string {
    let output = '';
    for (const { node, background } of script) {
      output = bounded(output + this.#node(node, background ? scope.fork() : scope, stdin));
    }
    return output;
  }

  #node(node: Node, scope: Scope, stdin: string | undefined): string {
    switch (node.kind) {
      case 'simple':
        return this.#simple(node, scope, stdin);
      case 'pipeline': {
        let passed = stdin;
        for (const stage of node.stages) passed = this.#node(stage, scope.fork(), passed);
        return passed ?? '';
      }
      case 'function':
        scope.define(node.name, node.body);
        this.#functions.set(node.name, node.body);
        return '';
      default: {
        const inside = node.kind === 'block' && node.subshell ? scope.fork() : scope;
        const files = redirected(node.redirections, this.#shell(inside), stdin);
        this.#look('', [], inside, files);
        const output = this.#compound(node, inside, files.stdin);
        return files.diverted ? '' : output;
      }
    }
  }

  #compound(node: Exclude<Node, Simple | { kind: 'pipeline' | 'function' }>, scope: Scope, stdin: string | undefined) {
    switch (node.kind) {
      case 'block':
        for (const word of node.words) textOf(word, this.#shell(scope));
        return this.#script(node.script, scope, stdin);
      case 'loop':
        if (floods(node)) this.#object(forkBomb);
        this.#script(node.condition, scope, stdin);
        return this.#script(node.body, scope, stdin);
      case 'for':
        return this.#for(node, scope, stdin);
    }
  }

  #for(node: For, scope: Scope, stdin: string | undefined): string {
    const shell = this.#shell(scope);
    const items = node.items?.flatMap((item) => fieldsOf(item, shell)) ?? scope.values('@');
    let output = '';
    for (const item of items.length > 0 ? items : [unknown]) {
      this.#count();
      scope.set(node.name, [item]);
      output = bounded(output + this.#script(node.body, scope, stdin));
    }
    return output;
  }

  #simple({ assignments, words, redirections }: Simple, scope: Scope, stdin: string | undefined): string {
    const shell = this.#shell(scope);
    const fields = words.flatMap((word) => fieldsOf(word, shell));
    for (const { name, values, appends } of assignments) {
      const texts = values.map((word) => textOf(word, shell));
      const before = appends ? scope.values(name) : [];
      scope.set(name, values.length === 1 ? [bounded([...before, ...texts].join(''))] : [...before, ...texts]);
    }
    const { diverted, ...files } = redirected(redirections, shell, stdin);
    const output = this.#invoke(fields, scope, files);
    return diverted ? '' : output;
  }

  #invoke([name, ...args]: string[], scope: Scope, files: Files): string {
    this.#count();
    if (name === undefined) {
      this.#look('', [], scope, files);
      return '';
    }
    const body = scope.functionNamed(name);
    if (body) return this.#call(body, args, scope, files);
    const invocation = this.#look(programOf(name), args, scope, files);
    const output = this.#nested(() => this.#inner(invocation, scope));
    applyBuiltin(invocation.program, args, scope);
    return output ?? outputOf(invocation);
  }

  #look(program: string, args: readonly string[], scope: Scope, files: Files): Invocation {
    const { stdin, writes, reads } = files;
    const invocation = { program, args, stdin, writes, reads, directory: scope.directory, place: this.#place };
    this.#report(invocation);
    return invocation;
  }

  #call(body: Node, args: readonly string[], scope: Scope, files: Files): string {
    this.#look('', [], scope, files);
    if (this.#active.has(body)) return unknown;
    this.#called.add(body);
    this.#active.add(body);
    const parameters = scope.values('@');
    scope.set('@', args);
    const output = this.#nested(() => this.#node(body, scope, files.stdin));
    scope.set('@', parameters);
    this.#active.delete(body);
    return output;
  }

  /** Follow what a program runs. Answers what that writes; undefined when it runs nothing. */
  #inner(invocation: Invocation, scope: Scope): string | undefined {
    const { program, stdin } = invocation;
    const script = scriptOf(invocation);
    if (script && isReadable(script)) {
      const own = program === 'eval' || program === '.' || program === 'source';
      const inside = own ? scope : scope.fork();
      if (!own) inside.set('@', script.parameters);
      return this.#text(script.text, inside, script.from === 'input' ? undefined : stdin);
    }
    let output: string | undefined;
    for (const inner of innerOf(invocation)) {
      const inside = scope.fork();
      if ('script' in inner) output = this.#text(inner.script, inside, stdin);
      else {
        assign(inner.assignments, inside);
        output = this.#invoke(inner.fields, inside, { stdin, writes: [], reads: [] });
      }
    }
    return output;
  }

  #text(text: string, scope: Scope, stdin: string | undefined): string {
    if (!isKnown(text) && text.replaceAll(unknown, '').replaceAll(foreign, '').trim() === '') return derivedFrom(text);
    return this.#script(readShell(text), scope, stdin);
  }

  #shell(scope: Scope): Shell {
    return { scope, capture: (script, stdin) => this.#nested(() => this.#script(script, scope.fork(), stdin)) };
  }

  #count(): void {
    if (++this.#programs > mostPrograms) throw new TooComplex();
  }

  #nested<Result>(run: () => Result): Result {
    if (++this.#depth > mostDepth) throw new TooComplex();
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }
}

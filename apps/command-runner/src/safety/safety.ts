import { Grammar, mostCharacters, type Parsed } from './grammar.ts';
import type { Objection } from './rules/rule.ts';
import { brokenRules } from './rules/rules.ts';
import { Interpreter } from './run/interpreter.ts';
import type { Place } from './run/place.ts';
import { readShell } from './shell/read-script.ts';
import { TooComplex, Unreadable } from './shell/source.ts';
import type { Script } from './shell/syntax.ts';

/** What was found out about a command. */
export interface Verdict {
  /** It is a command of the shell's grammar. */
  parsed: boolean;
  /** Nothing harmful was found. False, too, for what cannot be parsed or followed: then nothing can be said about it. */
  safe: boolean;
  /** What is wrong with it, one sentence each. */
  warnings: string[];
  /** What to do instead, one sentence each. */
  suggestions: string[];
}

const destructive = 'This command is potentially destructive';

/** Judges commands before they run. A guard against accidents and simple tricks; what runs is not confined by it. */
export class Safety implements AsyncDisposable {
  readonly #grammar: Grammar;

  private constructor(grammar: Grammar) {
    this.#grammar = grammar;
  }

  /** Start the parser. */
  static async load(): Promise<Safety> {
    return new Safety(await Grammar.load());
  }

  /** Stop the parser. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#grammar[Symbol.asyncDispose]();
  }

  /** Judge a command. Never rejects, and takes bounded time. */
  async judge(command: string, place: Place): Promise<Verdict> {
    const read = await this.#read(command);
    if ('problem' in read) return unjudged(false, read.problem);
    const objections = new Set<Objection>();
    const object = (objection: Objection) => void objections.add(objection);
    try {
      new Interpreter(place, (invocation) => brokenRules(invocation).forEach(object), object).run(read.script);
    } catch (thrown) {
      return unjudged(true, problemOf(thrown));
    }
    return verdictOf([...objections]);
  }

  /** Whether a command is one of the shell's grammar; nothing is said about harm. Never rejects. */
  async parse(command: string): Promise<Verdict> {
    const read = await this.#read(command);
    return 'problem' in read ? { ...unjudged(false, read.problem), safe: true } : verdictOf([]);
  }

  /** Two readings must agree: the grammar's, which is complete, and ours, which knows what the words are. */
  async #read(command: string): Promise<{ script: Script } | { problem: string }> {
    if (command.length > mostCharacters) return { problem: `it has more than ${mostCharacters} characters` };
    if (command.includes('\0')) return { problem: 'it has a null character' };
    const ours = readOurs(command);
    // What is nested too deeply for us could exhaust the parser.
    if (ours instanceof TooComplex) return { problem: problemOf(ours) };
    const parsed = await this.#grammar.parse(command);
    if ('problem' in parsed) return parsed;
    if (ours instanceof Error) return { problem: problemOf(ours) };
    return agree(command, ours, parsed) ? { script: ours } : { problem: 'it can be read in more than one way' };
  }
}

function readOurs(command: string): Script | TooComplex | Unreadable {
  try {
    return readShell(command);
  } catch (thrown) {
    if (thrown instanceof TooComplex || thrown instanceof Unreadable) return thrown;
    return new Unreadable('it cannot be read', { cause: thrown });
  }
}

function problemOf(thrown: unknown): string {
  return thrown instanceof Unreadable ? thrown.message : 'it is too complex to be checked';
}

function agree(command: string, script: Script, { starts }: Extract<Parsed, { starts: unknown }>): boolean {
  if (script.length !== starts.length) return false;
  let [at, bytes] = [0, 0];
  return script.every(({ start }, index) => {
    bytes += Buffer.byteLength(command.slice(at, start));
    at = start;
    return bytes === starts[index];
  });
}

function unjudged(parsed: boolean, problem: string): Verdict {
  return { parsed, safe: false, warnings: [`The command cannot be parsed: ${problem}`], suggestions: [] };
}

function verdictOf(objections: readonly Objection[]): Verdict {
  const general = objections.some((objection) => objection.destructive) ? [destructive] : [];
  return {
    parsed: true,
    safe: objections.every((objection) => objection.caution),
    warnings: [...general, ...objections.map(({ warning }) => warning)],
    suggestions: [...new Set(objections.flatMap(({ suggestions }) => suggestions))],
  };
}

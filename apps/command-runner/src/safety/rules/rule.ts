import type { Place } from '../run/place.ts';

/** A program that a command would run, with what it would be given. */
export interface Invocation {
  /** Its name without directories; empty when it is unknown, or when there are only redirections. */
  program: string;
  args: readonly string[];
  /** Its standard input as far as it can be told; undefined when nothing is passed to it. */
  stdin: string | undefined;
  /** Files that its redirections write. */
  writes: readonly string[];
  /** Files that its redirections read. */
  reads: readonly string[];
  /** Its working directory. */
  directory: string;
  place: Place;
}

/** Something that a command should not do. */
export interface Objection {
  /** One sentence about what the command does. */
  warning: string;
  /** What to do instead, one sentence each. */
  suggestions: readonly string[];
  /** It destroys data: the general warning comes first. */
  destructive?: true;
  /** Worth a warning, but no reason to refuse. */
  caution?: true;
}

/** An objection to a program with certain arguments. */
export interface Rule extends Objection {
  /** Programs that it is about; empty when it is about any. */
  programs: readonly string[];
  /** Whether a program breaks it. Never throws. */
  applies: (invocation: Invocation) => boolean;
}

/** Names, separated by spaces. */
export function names(text: string): string[] {
  return text.split(' ');
}

/** Arguments as most programs read them. */
export class Options {
  readonly operands: string[] = [];
  readonly #letters = new Set<string>();
  readonly #words: string[] = [];

  constructor(args: readonly string[]) {
    const end = args.indexOf('--');
    const before = end < 0 ? args : args.slice(0, end);
    for (const arg of before) {
      if (arg.startsWith('--')) this.#words.push(arg.replace(/=.*/s, ''));
      else if (arg.startsWith('-') && arg !== '-') for (const letter of arg.slice(1)) this.#letters.add(letter);
      else this.operands.push(arg);
    }
    if (end >= 0) this.operands.push(...args.slice(end + 1));
  }

  /** Whether any of these is given: single letters, or words with their dashes, which may be abbreviated. */
  has(...options: string[]): boolean {
    return options.some((option) =>
      option.startsWith('--')
        ? this.#words.some((word) => word.length > 4 && option.startsWith(word))
        : this.#letters.has(option),
    );
  }
}

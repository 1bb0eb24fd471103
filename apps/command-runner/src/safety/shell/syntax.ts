/** One or several commands, one after the other. */
export type Script = readonly Statement[];

/** A command with the lists and pipelines that belong to it. */
export interface Statement {
  node: Node;
  /** It ends in `&`. */
  background: boolean;
  /** Where it starts, in UTF-16 units. */
  start: number;
}

/** What a word is made of. */
export type Part =
  | { kind: 'text'; text: string; quoted: boolean }
  | Variable
  | { kind: 'substitution'; script: Script; quoted: boolean }
  /** `<(…)` or `>(…)`, of which a word only sees a path. */
  | { kind: 'process'; script: Script; reads: boolean }
  /** Something whose text is not followed, such as arithmetic, with what is expanded inside. */
  | { kind: 'opaque'; inside: Word };

/** `$name` and `${name…}`. */
export interface Variable {
  kind: 'variable';
  name: string;
  /** What follows the name inside of braces, such as `:-`. */
  operator: string;
  argument: Word;
  quoted: boolean;
  /** Its values stay apart in quotes: `$@` and `${name[@]}`. */
  apart: boolean;
}

/** A word before expansion. */
export type Word = readonly Part[];

/** `name=value` or `name=(value …)`. */
export interface Assignment {
  name: string;
  values: readonly Word[];
  /** `+=` */
  appends: boolean;
}

/** `>file` and the like. */
export interface Redirection {
  /** The file descriptor, as written; empty when it is the operator's own. */
  descriptor: string;
  operator: string;
  target: Word;
  /** Body of a here-document. */
  body?: Word;
}

/** A program with arguments, assignments, or both. */
export interface Simple {
  kind: 'simple';
  assignments: readonly Assignment[];
  words: readonly Word[];
  redirections: readonly Redirection[];
}

/** Commands in braces, in parentheses, or in any construct whose parts count one after the other. */
export interface Block {
  kind: 'block';
  script: Script;
  subshell: boolean;
  /** Words that are expanded besides. */
  words: readonly Word[];
  redirections: readonly Redirection[];
}

/** `while`, `until` and `for ((…))`. */
export interface Loop {
  kind: 'loop';
  condition: Script;
  body: Script;
  /** Which condition lets it go on. */
  goesOn: 'success' | 'failure' | 'always';
  redirections: readonly Redirection[];
}

/** `for name in …`. */
export interface For {
  kind: 'for';
  name: string;
  /** Undefined: the positional parameters. */
  items: readonly Word[] | undefined;
  body: Script;
  redirections: readonly Redirection[];
}

/** A part of a statement. */
export type Node =
  | Simple
  | Block
  | Loop
  | For
  | { kind: 'pipeline'; stages: readonly Node[] }
  | { kind: 'function'; name: string; body: Node };

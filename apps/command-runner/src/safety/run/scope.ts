import type { Node } from '../shell/syntax.ts';
import { unknown } from '../shell/text.ts';

/** Variables that a shell inherits whose values are not known here. */
const inherited =
  /^(?:PATH|LANG|LC_[A-Z]+|TZ|TMPDIR|USER|LOGNAME|SHELL|UID|EUID|HOSTNAME|RANDOM|SECONDS|LINENO|CLAUDE_CLI_\w+|[?$!#-]|BASH\w*|OSTYPE|OPTARG|OPTIND)$/;

/**
 * What a shell knows at some point of a command: variables, functions and the working directory. A subshell works on a
 * scope of its own, which sees what is around it and changes nothing there.
 */
export class Scope {
  readonly #outer: Scope | undefined;
  readonly #variables = new Map<string, readonly string[]>();
  readonly #functions = new Map<string, Node>();
  /** Any variable may have been set by something that cannot be seen. */
  #clouded = false;

  constructor(outer?: Scope) {
    this.#outer = outer;
    if (outer) this.#clouded = outer.#clouded;
  }

  fork(): Scope {
    return new Scope(this);
  }

  /** Values of a variable, several for an array. A variable that nobody has set is empty, as it is for the shell. */
  values(name: string): readonly string[] {
    for (let scope: Scope | undefined = this; scope; scope = scope.#outer) {
      const values = scope.#variables.get(name);
      if (values) return values;
    }
    return inherited.test(name) || this.#clouded ? [unknown] : [];
  }

  set(name: string, values: readonly string[]): void {
    this.#variables.set(name, values);
  }

  get directory(): string {
    return this.values('PWD')[0] ?? unknown;
  }

  /** From now on, a variable that is not known may have any value. */
  cloud(): void {
    this.#clouded = true;
  }

  define(name: string, body: Node): void {
    this.#functions.set(name, body);
  }

  functionNamed(name: string): Node | undefined {
    for (let scope: Scope | undefined = this; scope; scope = scope.#outer) {
      const body = scope.#functions.get(name);
      if (body) return body;
    }
    return undefined;
  }
}

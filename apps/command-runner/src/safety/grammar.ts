import { readFile } from 'node:fs/promises';
import { getProcessor, LangVariant, ParseError } from 'sh-syntax';

/** The part of the engine's interface that is used; it has no types without those of browsers. */
declare const WebAssembly: {
  compile(bytes: Uint8Array): Promise<object>;
  Instance: new (module: object, imports: object) => { exports: object };
};

/** Longest command that is looked at, in UTF-16 units. */
export const mostCharacters = 20_000;

/** What the grammar says about a command: where its statements start, in UTF-8 bytes, or what is wrong with it. */
export type Parsed = { starts: readonly number[] } | { problem: string };

/** A single program with plain arguments, which needs no parser. */
const plainWords = /^[\w./:@%,+-]+(?: [\w./:=@%,+-]+)*$/;
/** Words with a grammar of their own. */
const grammarWords =
  /^(?:if|then|elif|else|fi|do|done|case|esac|for|while|until|select|function|time|coproc|let|declare|local|export|readonly|typeset|nameref) ?/;

/**
 * The shell's grammar. The parser works synchronously, on an instance of its own per command because an instance that has
 * parsed is not clean any more.
 */
export class Grammar {
  readonly #parse: ReturnType<typeof getProcessor>;

  private constructor(module: object) {
    this.#parse = getProcessor(async (imports) => new WebAssembly.Instance(module, imports));
  }

  /** Load the parser. */
  static async load(): Promise<Grammar> {
    const path = new URL(import.meta.resolve('sh-syntax/main.wasm'));
    return new Grammar(await WebAssembly.compile(await readFile(path)));
  }

  /** Parse a command as Bash, which has most of the grammars that /bin/sh may have, and else as a POSIX shell. Never rejects. */
  async parse(command: string): Promise<Parsed> {
    if (plainWords.test(command) && !grammarWords.test(command)) return { starts: [0] };
    const asBash = await this.#parseAs(command, LangVariant.LangBash);
    if ('starts' in asBash) return asBash;
    const asPosix = await this.#parseAs(command, LangVariant.LangPOSIX);
    return 'starts' in asPosix ? asPosix : asBash;
  }

  async #parseAs(command: string, variant: LangVariant): Promise<Parsed> {
    try {
      const { Stmts } = await this.#parse(command, { variant, keepComments: false });
      return { starts: Stmts.map(({ Position }) => Position.Offset) };
    } catch (thrown) {
      if (!(thrown instanceof ParseError) || !thrown.Pos) return { problem: 'it is too deeply nested' };
      const { Line, Col } = thrown.Pos;
      return { problem: `line ${Line}, column ${Col}: ${thrown.Text.replaceAll('`', "'")}` };
    }
  }
}

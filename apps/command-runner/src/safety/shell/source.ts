import type { Script } from './syntax.ts';

/** Deepest nesting of commands and words that is read. */
const mostNesting = 50;
/** Most parts that are read, counted again when they are read again: reading takes time in proportion. */
const mostSteps = 8_000;

/** A command that cannot be read; the message says why. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** A command that takes too much to look at. */
export class TooComplex extends Error {
  override readonly name = 'TooComplex';
}

/** A here-document that was announced on the present line. */
export interface HereDocument {
  delimiter: string;
  stripTabs: boolean;
  take: (body: string) => void;
}

/** Reads the commands of a list, up to what cannot belong to it. */
export type ReadList = (source: Source) => Script;

/** Work that reading may take, shared by all that is nested in one command. */
export interface Effort {
  steps: number;
  depth: number;
}

/** The text of a command and how far it has been read. */
export class Source {
  readonly text: string;
  readonly effort: Effort;
  at = 0;
  readonly hereDocuments: HereDocument[] = [];

  readonly #readList: ReadList;

  constructor(text: string, readList: ReadList, effort: Effort = { steps: 0, depth: 0 }) {
    this.text = text;
    this.effort = effort;
    this.#readList = readList;
  }

  /** Another text that belongs to this one, such as a backquoted command. */
  inner(text: string): Source {
    return new Source(text, this.#readList, this.effort);
  }

  /** Read the commands of a list, up to what cannot belong to it. */
  readList(): Script {
    return this.#readList(this);
  }

  /** Read commands up to the closing parenthesis, which is passed over. */
  readScript(): Script {
    const script = this.#readList(this);
    this.expect(')');
    return script;
  }

  /** Read all commands. @throws Unreadable, TooComplex */
  readAll(): Script {
    const script = this.#readList(this);
    if (!this.ended) throw new Unreadable(`${this.next} is not expected`);
    // A here-document that is announced on the last line is empty.
    for (const { take } of this.hereDocuments.splice(0)) take('');
    return script;
  }

  /** The next character; empty at the end. Line continuations are passed over. */
  get next(): string {
    while (this.text.startsWith('\\\n', this.at)) this.at += 2;
    return this.text[this.at] ?? '';
  }

  get ended(): boolean {
    return this.next === '';
  }

  startsWith(token: string): boolean {
    return this.next !== '' && this.text.startsWith(token, this.at);
  }

  /** Pass over a token if it comes next. */
  skip(token: string): boolean {
    if (!this.startsWith(token)) return false;
    this.at += token.length;
    return true;
  }

  /** @throws Unreadable unless the token comes next */
  expect(token: string): void {
    if (!this.skip(token)) throw new Unreadable(`${token} is missing`);
  }

  /** What a sticky pattern matches here, which is passed over. */
  take(pattern: RegExp): string | undefined {
    void this.next;
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  /** What a sticky pattern matches here. */
  peek(pattern: RegExp): string | undefined {
    const at = this.at;
    const found = this.take(pattern);
    this.at = at;
    return found;
  }

  /** Read something that is nested, or that counts as a step of the work. @throws TooComplex */
  nested<Result>(read: () => Result): Result {
    const { effort } = this;
    if (++effort.steps > mostSteps || effort.depth >= mostNesting) throw new TooComplex();
    effort.depth++;
    try {
      return read();
    } finally {
      effort.depth--;
    }
  }

  /** Read one way, or, when that is not possible, from the same place another way. */
  attempt<Result>(first: () => Result, second: () => Result): Result {
    const { at } = this;
    const announced = this.hereDocuments.length;
    try {
      return first();
    } catch (thrown) {
      if (!(thrown instanceof Unreadable)) throw thrown;
      this.at = at;
      this.hereDocuments.length = Math.min(announced, this.hereDocuments.length);
      return second();
    }
  }

  /** Pass over blanks, continuations and comments. */
  skipBlanks(): void {
    while (this.take(/[ \t\r]+/y) !== undefined);
    if (this.next === '#') this.take(/[^\n]*/y);
  }

  /** Pass over a line feed, and the here-documents that follow it, if it comes next. */
  skipLineFeed(): boolean {
    if (!this.skip('\n')) return false;
    for (const document of this.hereDocuments.splice(0)) document.take(this.#bodyOf(document));
    return true;
  }

  /** Pass over blanks, comments and line feeds. */
  skipLines(): void {
    do this.skipBlanks();
    while (this.skipLineFeed());
  }

  #bodyOf({ delimiter, stripTabs }: HereDocument): string {
    const lines: string[] = [];
    while (this.at < this.text.length) {
      const end = this.text.indexOf('\n', this.at);
      const raw = this.text.slice(this.at, end < 0 ? undefined : end);
      this.at = end < 0 ? this.text.length : end + 1;
      const line = stripTabs ? raw.replace(/^\t+/, '') : raw;
      if (line === delimiter) break;
      lines.push(`${line}\n`);
    }
    return lines.join('');
  }
}

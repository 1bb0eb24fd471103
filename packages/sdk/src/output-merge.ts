/** Something that a command wrote. */
export interface OutputLine {
  /** stdout, stderr, or system for notes of the runner itself. */
  stream: string;
  content: string;
  /** When it was read, in ISO 8601. */
  timestamp: string;
}

/**
 * Makes one output of two tellings of it, the stored one and the live one, which overlap: each piece once, in order. Times
 * of pieces never go back, so one from before the latest was told already. Of the same time, as many equal ones are told
 * as the telling that has the most of them has.
 *
 * Notes of the runner say when they were made, which can be after what follows them: they are told when they are new, and
 * tell nothing of the time of others.
 */
export class OutputMerge {
  #latest = '';
  #told = new Map<string, number>();
  readonly #notes = new Set<string>();

  /** One telling, from its beginning on or from anywhere. @returns whether a piece of it is new */
  telling(): (line: OutputLine) => boolean {
    let time = '';
    let counts = new Map<string, number>();
    return ({ stream, content, timestamp }) => {
      if (stream === 'system') return this.#isNewNote(`${timestamp} ${content}`);
      if (timestamp < this.#latest) return false;
      if (timestamp !== time) {
        time = timestamp;
        counts = new Map();
      }
      if (timestamp > this.#latest) {
        this.#latest = timestamp;
        this.#told = new Map();
      }
      const key = `${stream} ${content}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count <= (this.#told.get(key) ?? 0)) return false;
      this.#told.set(key, count);
      return true;
    };
  }

  /** The runner makes few of them: one per look at output that is being dropped. */
  #isNewNote(note: string): boolean {
    const isNew = !this.#notes.has(note);
    this.#notes.add(note);
    return isNew;
  }
}

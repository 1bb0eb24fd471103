/** Puts the lines of a stream together from whatever pieces it comes in. A line that is too long is left out. */
export class LineReader {
  readonly #maxLength: number;
  readonly #take: (line: string) => void;
  readonly #tooLong: () => void;
  #parts: string[] = [];
  #length = 0;
  #skipping = false;

  /**
   * @param maxLength in UTF-16 units, and so the bound of what is held
   * @param take is given each line, without its line feed
   * @param tooLong is told of each line that is left out
   */
  constructor(maxLength: number, take: (line: string) => void, tooLong: () => void) {
    this.#maxLength = maxLength;
    this.#take = take;
    this.#tooLong = tooLong;
  }

  /** Take the next piece. */
  read(text: string): void {
    let from = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
      this.#add(text.slice(from, at));
      this.#endLine();
      from = at + 1;
    }
    this.#add(text.slice(from));
  }

  /** The stream has ended; its last line may have no line feed. */
  end(): void {
    if (this.#length > 0) this.#endLine();
  }

  #add(part: string): void {
    if (this.#skipping || part === '') return;
    this.#length += part.length;
    if (this.#length <= this.#maxLength) {
      this.#parts.push(part);
      return;
    }
    this.#skipping = true;
    this.#parts = [];
    this.#tooLong();
  }

  #endLine(): void {
    const line = this.#parts.join('');
    const wasSkipped = this.#skipping;
    this.#parts = [];
    this.#length = 0;
    this.#skipping = false;
    if (!wasSkipped) this.#take(line);
  }
}

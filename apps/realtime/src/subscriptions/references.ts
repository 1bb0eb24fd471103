/** Names with a count of those who hold them. */
export class References {
  readonly #counts = new Map<string, number>();

  /** Names that somebody holds. */
  names(): string[] {
    return [...this.#counts.keys()];
  }

  /** Hold a name once more. */
  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  /** Hold it once less. @returns whether nobody holds it any more */
  drop(name: string): boolean {
    const left = (this.#counts.get(name) ?? 0) - 1;
    if (left > 0) this.#counts.set(name, left);
    else this.#counts.delete(name);
    return left === 0;
  }
}

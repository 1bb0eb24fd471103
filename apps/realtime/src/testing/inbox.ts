import type { Received } from './client.ts';

/** What a client of any transport has heard and nobody has asked for yet. */
export class Inbox {
  readonly messages: Received[] = [];
  readonly #ended = Promise.withResolvers<number>();
  #isEnded = false;
  #wake: () => void = () => {};

  /** The code with which it ended. */
  get ended(): Promise<number> {
    return this.#ended.promise;
  }

  put(message: Received): void {
    this.messages.push(message);
    this.#wake();
  }

  end(code: number): void {
    this.#isEnded = true;
    this.#ended.resolve(code);
    this.#wake();
  }

  /** The next message, or the next of a type, taken out with all that came before it. */
  async next(type?: string): Promise<Received> {
    for (;;) {
      const index = this.messages.findIndex((message) => type === undefined || message.type === type);
      const found = this.messages.splice(0, index + 1).at(-1);
      if (found) return found;
      if (this.#isEnded) throw new Error(`ended while waiting for ${type ?? 'a message'}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next so many messages. */
  async take(count: number): Promise<Received[]> {
    const taken: Received[] = [];
    while (taken.length < count) taken.push(await this.next());
    return taken;
  }
}

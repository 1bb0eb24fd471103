import { inParallel } from '@claude-cli/shared/in-parallel';
import type { Position } from './item.ts';
import type { Stream } from './stream.ts';

/** Streams that are looked after at once. */
const atOnce = 16;

interface Followed {
  stream: Stream;
  ready: Promise<void>;
  users: number;
}

/** Opens the stream of a name. */
export type OpenStream = (name: string) => { stream: Stream; ready: Promise<void> };

/** The streams that somebody follows. */
export class Streams {
  readonly #open: OpenStream;
  readonly #followed = new Map<string, Followed>();

  constructor(open: OpenStream) {
    this.#open = open;
  }

  /**
   * Follow a stream. What arrives must be passed to it from before this is called.
   * @throws PlatformError when its present place cannot be found out
   */
  async follow(name: string): Promise<Stream> {
    const known = this.#followed.get(name);
    const followed = known ?? { ...this.#open(name), users: 0 };
    followed.users += 1;
    this.#followed.set(name, followed);
    try {
      await followed.ready;
    } catch (thrown) {
      this.leave(name, followed.stream);
      throw thrown;
    }
    return followed.stream;
  }

  /** The opposite. */
  leave(name: string, stream: Stream): void {
    const followed = this.#followed.get(name);
    if (followed?.stream !== stream) return;
    followed.users -= 1;
    if (followed.users > 0) return;
    this.#followed.delete(name);
    stream.end();
  }

  /** The stream of a name, if somebody follows it. */
  get(name: string): Stream | undefined {
    return this.#followed.get(name)?.stream;
  }

  /** Let streams look for what they missed. */
  async check(which: (name: string) => boolean = () => true): Promise<void> {
    const chosen = [...this.#followed].filter(([name]) => which(name));
    await inParallel(chosen, atOnce, ([, { stream }]) => stream.check());
  }

  /** Let those look for what they missed that are not where they should be. */
  async compare(heads: ReadonlyMap<string, Position>): Promise<void> {
    const behind = [...this.#followed].filter(([name, { stream }]) => {
      const head = heads.get(name);
      return head && (head.epoch !== stream.epoch || head.seq > stream.last);
    });
    await inParallel(behind, atOnce, ([name, { stream }]) => stream.check(heads.get(name)?.epoch));
  }

  /** Names of all. */
  names(): string[] {
    return [...this.#followed.keys()];
  }
}

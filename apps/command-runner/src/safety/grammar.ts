import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';

/** Longest command that is looked at, in UTF-16 units. */
export const mostCharacters = 20_000;

/** How long parsing one command may take, in milliseconds: the worst known ones of the longest take half a second. */
const usualTimeMs = 5_000;
/** What is remembered of commands that were parsed, in UTF-16 units of them: schedules and retries bring the same again. */
const remembered = 1_000_000;

/** What the grammar says about a command: where its statements start, in UTF-8 bytes, or what is wrong with it. */
export type Parsed = { starts: readonly number[] } | { problem: string };

/** A single program with plain arguments, which needs no parser. */
const plainWords = /^[\w./:@%,+-]+(?: [\w./:=@%,+-]+)*$/;
/** Words with a grammar of their own. */
const grammarWords =
  /^(?:if|then|elif|else|fi|do|done|case|esac|for|while|until|select|function|time|coproc|let|declare|local|export|readonly|typeset|nameref) ?/;

/**
 * The shell's grammar. The parser runs in a thread of its own: it is synchronous, hostile commands make it work for long, and
 * the memory that it takes anew for each command would make the engine look through all that the runner holds.
 */
export class Grammar implements AsyncDisposable {
  readonly #timeMs: number;
  readonly #recent = new LRUCache<string, Parsed>({
    maxSize: remembered,
    sizeCalculation: (_parsed, command) => command.length + 1,
  });
  #worker: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(timeMs: number) {
    this.#timeMs = timeMs;
  }

  /** Start the parser. @param timeMs how long parsing one command may take, in milliseconds */
  static async load(timeMs = usualTimeMs): Promise<Grammar> {
    const grammar = new Grammar(timeMs);
    await grammar.#start();
    return grammar;
  }

  /** Parse a command. Never rejects. */
  async parse(command: string): Promise<Parsed> {
    if (plainWords.test(command) && !grammarWords.test(command)) return { starts: [0] };
    const known = this.#recent.get(command);
    if (known) return known;
    // One after the other, so that each has its time.
    const parsed = this.#last.then(() => this.#ask(command));
    this.#last = parsed;
    return parsed;
  }

  /** Stop the parser. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
  }

  async #ask(command: string): Promise<Parsed> {
    try {
      const worker = this.#worker ?? (await this.#start());
      const answer = once(worker, 'message', { signal: AbortSignal.timeout(this.#timeMs) });
      worker.postMessage(command);
      const [parsed] = (await answer) as [Parsed];
      this.#recent.set(command, parsed);
      return parsed;
    } catch {
      // It took too long, or the parser broke down on it: the next command gets a new one.
      await this.#worker?.terminate();
      return { problem: 'it is too complex to be parsed' };
    }
  }

  async #start(): Promise<Worker> {
    // Nothing of this process is its business, the secrets of its environment least of all.
    const worker = new Worker(new URL('./grammar-worker.ts', import.meta.url), { env: {}, execArgv: [] });
    worker.on('error', () => {});
    worker.once('exit', () => {
      if (this.#worker === worker) this.#worker = undefined;
    });
    await once(worker, 'message');
    worker.unref();
    this.#worker = worker;
    return worker;
  }
}

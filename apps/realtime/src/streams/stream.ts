import { setTimeout } from 'node:timers/promises';
import type { Logger } from '@claude-cli/shared/logger';
import { type History, newest } from './history.ts';
import type { Item } from './item.ts';

/** Who is told what happens in a stream: each item once, in order. */
export interface StreamListener {
  tell(item: Item): void;
  /** Numbers that cannot be had any more, both included; undefined when nobody knows which. */
  gap(epoch: string, lacking: { from: number; to: number } | undefined): void;
  /** A new epoch has begun; it will be told from its beginning. */
  renewed(epoch: string): void;
}

/** What is kept while something before it is read: the oldest gives way, since it can be read, too. */
const mostHeld = 500;
/** Pauses while what is missing cannot be read yet, and while nothing can be read, in milliseconds. */
const pauses = { lag: 50, failure: 500 };

/**
 * Follows one stream: tells what arrives as long as numbers follow each other, drops what was told, and reads what is
 * missing before it goes on.
 */
export class Stream {
  readonly history: History;
  readonly #listener: StreamListener;
  readonly #log: Logger;
  readonly #ended = new AbortController();
  #epoch = '';
  #last = 0;
  #held: Item[] = [];
  #reading: Promise<void> | undefined;
  #readAgain = false;
  /** An epoch that somebody has seen. */
  #suspected: string | undefined;

  private constructor(history: History, listener: StreamListener, log: Logger) {
    this.history = history;
    this.#listener = listener;
    this.#log = log;
  }

  /** Follow a stream from its present head on. What arrives from now on must be passed to `arrive`. */
  static open(history: History, listener: StreamListener, log: Logger): { stream: Stream; ready: Promise<void> } {
    const stream = new Stream(history, listener, log);
    // What arrives meanwhile is held until it is clear what of it is new.
    const ready = history.head().then(({ epoch, seq }) => {
      stream.#epoch = epoch;
      stream.#last = seq;
      stream.#reading = undefined;
      if (stream.#held.length > 0) stream.#read();
    });
    stream.#reading = ready;
    ready.catch(() => stream.end());
    return { stream, ready };
  }

  /** The present epoch. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Number of the latest message that was told. */
  get last(): number {
    return this.#last;
  }

  /** Something arrived: new or not, in order or not. */
  arrive(item: Item): void {
    if (item.epoch === this.#epoch && item.end <= this.#last) return;
    if (!this.#reading && item.epoch === this.#epoch && item.seq <= this.#last + 1) {
      this.#tell(item);
      return;
    }
    this.#held.push(item);
    if (this.#held.length > mostHeld) this.#held.shift();
    if (!this.#reading) this.#read();
  }

  /**
   * Look whether something was missed. Resolves when it was told. Never rejects.
   * @param epoch that somebody has seen
   */
  async check(epoch?: string): Promise<void> {
    this.#suspected = epoch;
    if (this.#reading) this.#readAgain = true;
    else this.#read();
    await this.#reading;
  }

  /** Follow it no more. */
  end(): void {
    this.#ended.abort();
    this.#held = [];
  }

  #read(): void {
    this.#reading = this.#catchUp().finally(() => {
      this.#reading = undefined;
      if (this.#readAgain || this.#held.length > 0) {
        this.#readAgain = false;
        if (!this.#ended.signal.aborted) this.#read();
      }
    });
  }

  async #catchUp(): Promise<void> {
    const { signal } = this.#ended;
    let patientUntil = Date.now() + this.history.lagMs;
    let warned = false;
    while (!signal.aborted) {
      try {
        const epochs = [this.#suspected, ...this.#held.map(({ epoch }) => epoch)];
        const foreign = epochs.find((epoch) => epoch !== undefined && epoch !== this.#epoch);
        this.#suspected = undefined;
        if (foreign !== undefined) {
          await this.#judgeEpoch(foreign);
          continue;
        }
        const upTo = this.#held.length === 0 ? newest : Math.max(...this.#held.map(({ end }) => end));
        const page = await this.history.after({ epoch: this.#epoch, seq: this.#last }, upTo);
        if (signal.aborted) return;
        if (page.epoch !== undefined && page.epoch !== this.#epoch) {
          this.#renew(page.epoch);
          continue;
        }
        for (const item of page.items) this.#tellAfterGap(item);
        if (page.items.length > 0) patientUntil = Date.now() + this.history.lagMs;
        if (!page.complete) continue;
        if (this.#tellHeld()) return;
        if (Date.now() < patientUntil) {
          await setTimeout(pauses.lag, undefined, { signal }).catch(() => {});
          continue;
        }
        // It is not to be had: what follows on it is told, with a notice.
        const [next] = this.#held.splice(0, 1);
        if (next) this.#tellAfterGap(next);
      } catch (err) {
        if (!warned) this.#log.warn({ err }, 'what was missed cannot be read yet');
        warned = true;
        await setTimeout(pauses.failure, undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Tell what is held as far as it follows on what was told. @returns whether nothing is left */
  #tellHeld(): boolean {
    this.#held.sort((one, other) => one.seq - other.seq);
    for (let next = this.#held[0]; next; next = this.#held[0]) {
      if (next.epoch !== this.#epoch || next.seq > this.#last + 1) return false;
      this.#held.shift();
      if (next.end > this.#last) this.#tell(next);
    }
    return true;
  }

  /** Something came with another epoch than the present one: either that has changed, or it is a late message of an old one. */
  async #judgeEpoch(epoch: string): Promise<void> {
    const head = await this.history.head();
    if (head.epoch === this.#epoch) {
      this.#held = this.#held.filter((item) => item.epoch !== epoch);
      this.#listener.gap(epoch, undefined);
      return;
    }
    this.#renew(head.epoch);
  }

  #renew(epoch: string): void {
    this.#held = this.#held.filter((item) => item.epoch === epoch);
    this.#epoch = epoch;
    this.#last = 0;
    this.#listener.renewed(epoch);
  }

  #tellAfterGap(item: Item): void {
    if (item.end <= this.#last) return;
    if (item.seq > this.#last + 1) this.#listener.gap(this.#epoch, { from: this.#last + 1, to: item.seq - 1 });
    this.#tell(item);
  }

  #tell(item: Item): void {
    // First, so that whoever is told can rely on it.
    this.#last = item.end;
    this.#listener.tell(item);
  }
}

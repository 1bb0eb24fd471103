import type { OutputPiece } from '@claude-cli/shared/events';
import { OutputBuffer } from './output-buffer.ts';
import { toPieces } from './pieces.ts';

/** Pause between flushes in which output is gathered, in milliseconds. What comes after silence is flushed at once. */
const gatherMs = 30;
/** Size of a batch that is flushed at once, in UTF-16 units. */
const fullBatch = 64 * 1024;
/** Unflushed output from which its source has to wait, and down to which it waits, in UTF-16 units. */
const pauseAbove = 1024 * 1024;
const resumeBelow = 256 * 1024;
/** How much of stderr's end is remembered. */
const tailLength = 2048;

/** Pieces that were written together. */
export interface Batch {
  /** Number of the first piece; the pieces of a run are numbered from 1. */
  sequence: number;
  pieces: OutputPiece[];
  /** Bytes of content. */
  bytes: number;
  /** It stands for pieces that are not there. */
  note?: true;
}

/** Where output comes from and goes to. */
export interface OutputPath {
  /** Output that is stored of one run, in bytes: batches are small against it. */
  limitBytes: number;
  /** Keep a batch; a full one need not be kept before `settle`. Settles in bounded time, and never rejects. */
  store: (batch: Batch, isFull: boolean) => Promise<void>;
  /** A flood of full batches is over. Settles in bounded time, and never rejects. */
  settle: () => Promise<void>;
  /** Show a batch. Settles in bounded time, and never rejects. */
  publish: (batch: Batch) => Promise<void>;
  /** Make the source wait, or let it go on. */
  pause: () => void;
  resume: () => void;
}

/**
 * Gathers what a command writes into batches and passes them on, one after the other. When they are passed on slower than
 * the command writes, the command waits: at most about 1 MiB is in memory.
 */
export class OutputRecorder {
  /** Bytes written so far. */
  bytes = 0;
  /** Pieces passed on so far. */
  pieces = 0;
  /** End of what was written to stderr. */
  stderrTail = '';
  readonly #path: OutputPath;
  readonly #batchSize: number;
  readonly #buffer = new OutputBuffer();
  #paused = false;
  #closing = false;
  #unsettled = false;
  #timer: NodeJS.Timeout | undefined;
  /** When a flush ended last, as performance.now() tells it. */
  #flushedAt = Number.NEGATIVE_INFINITY;
  #flushing: Promise<void> | undefined;

  constructor(path: OutputPath) {
    this.#path = path;
    this.#batchSize = Math.min(fullBatch, Math.ceil(path.limitBytes / 16));
  }

  /** UTF-16 units that are not flushed yet. */
  get unflushed(): number {
    return this.#buffer.size;
  }

  /** Take what was written. */
  write(stream: OutputPiece['stream'], text: string): void {
    if (text === '') return;
    if (stream !== 'system') this.bytes += Buffer.byteLength(text);
    if (stream === 'stderr') this.stderrTail = (this.stderrTail + text).slice(-tailLength);
    this.#buffer.push({ stream, text, at: new Date().toISOString() });
    if (!this.#paused && this.#buffer.size > pauseAbove) {
      this.#paused = true;
      this.#path.pause();
    }
    this.#schedule();
  }

  /** Pass on the rest. */
  async close(): Promise<void> {
    this.#closing = true;
    while (this.#flushing || this.#buffer.size > 0 || this.#unsettled) {
      this.#flushing ??= this.#flush();
      await this.#flushing;
    }
    clearTimeout(this.#timer);
  }

  #schedule(): void {
    if (this.#flushing) return;
    const waitMs = gatherMs - (performance.now() - this.#flushedAt);
    if (this.#buffer.size >= this.#batchSize) this.#flushing = this.#flush();
    // What was read at once goes together.
    else if (waitMs <= 0) this.#flushing = Promise.resolve().then(() => this.#flush());
    else this.#timer ??= setTimeout(() => (this.#flushing ??= this.#flush()), waitMs);
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    do {
      await this.#passOn();
      if (this.#paused && this.#buffer.size < resumeBelow) {
        this.#paused = false;
        this.#path.resume();
      }
    } while (this.#buffer.size >= this.#batchSize || (this.#closing && this.#buffer.size > 0));
    this.#flushing = undefined;
    this.#flushedAt = performance.now();
    if (this.#buffer.size > 0 || this.#unsettled) this.#schedule();
  }

  async #passOn(): Promise<void> {
    const isFull = this.#buffer.size >= this.#batchSize;
    const pieces = toPieces(this.#buffer.take(this.#batchSize));
    if (pieces.length > 0) {
      const bytes = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece.content), 0);
      const batch = { sequence: this.pieces + 1, pieces, bytes };
      this.pieces += pieces.length;
      await Promise.all([this.#path.store(batch, isFull), this.#path.publish(batch)]);
    } else if (this.#unsettled) {
      await this.#path.settle();
    }
    this.#unsettled = isFull;
  }
}

import type { OutputPiece } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { tryFor } from '../retry.ts';
import type { Batch } from './output-recorder.ts';
import type { OutputStore } from './output-store.ts';

/** What a batch and a piece count besides their bytes: many short lines must not fill the database either. */
const batchCost = 64;
const pieceCost = 16;

/** In a flood, how much of the end is held in memory at most, in bytes, and for how long, in milliseconds. */
const hold = { bytes: 1_048_576, ms: 1_000 };

/** How long the database may fail before output is let go, in milliseconds; afterwards it is tried once in a while. */
const patience = { firstMs: 30_000, laterMs: 5_000, attemptMs: 10_000 };

/** A batch of the end. */
interface Kept {
  batch: Batch;
  cost: number;
  saved: boolean;
}

/** Bytes that are missing, and from which sequence on. */
interface Gap {
  sequence: number;
  bytes: number;
}

/**
 * The stored output of one run, within a bound: the first eighth and the newest part are kept, of the rest a note says how
 * much it was. The end is trimmed in steps, so it is between six and seven eighths of the bound. In a flood of full
 * batches the end is held for a moment, so that what is dropped at once is never written.
 *
 * Never rejects: while the database is away, `add` waits (and so the command does), but not for ever.
 */
export class BoundedOutput {
  /** Whether something is not stored. */
  truncated = false;
  readonly #store: OutputStore;
  readonly #runId: string;
  readonly #limit: number;
  readonly #log: Logger;
  readonly #patience: typeof patience;
  #head = 0;
  #tail: Kept[] = [];
  #tailCost = 0;
  #dropped: Gap | undefined;
  /** Stored batches up to here are to be deleted. */
  #deleteTo = 0;
  #lost: Gap | undefined;
  #savedAt = Date.now();
  #givenUpUntil = 0;

  constructor(store: OutputStore, runId: string, limitBytes: number, log: Logger, waits = patience) {
    this.#store = store;
    this.#runId = runId;
    this.#limit = limitBytes;
    this.#log = log;
    this.#patience = waits;
  }

  /** Keep a batch. @param mayHold whether `settle` or another batch is sure to come */
  async add(batch: Batch, mayHold: boolean): Promise<void> {
    const cost = batch.bytes + batchCost + pieceCost * batch.pieces.length;
    const isHead = this.#tail.length === 0 && !this.#dropped && this.#head + cost <= this.#limit / 8;
    if (isHead) {
      this.#head += cost;
      await this.#save(batch);
      return;
    }
    this.#tail.push({ batch, cost, saved: false });
    this.#tailCost += cost;
    if (this.#tailCost > (this.#limit * 7) / 8) this.#trim();
    const held = this.#tail.reduce((sum, kept) => sum + (kept.saved ? 0 : kept.cost), 0);
    if (!mayHold || held > hold.bytes || Date.now() - this.#savedAt > hold.ms) await this.#saveTail();
  }

  /** Store what was held. */
  async settle(): Promise<void> {
    await this.#saveTail();
  }

  #trim(): void {
    while (this.#tail.length > 1 && this.#tailCost > (this.#limit * 6) / 8) {
      const kept = this.#tail.shift();
      if (!kept) return;
      this.#tailCost -= kept.cost;
      this.#dropped = grow(this.#dropped, kept.batch);
      if (kept.saved) this.#deleteTo = kept.batch.sequence;
    }
    this.truncated = true;
  }

  async #saveTail(): Promise<void> {
    this.#savedAt = Date.now();
    if (this.#dropped) {
      const { sequence, bytes } = this.#dropped;
      // The note takes the place of the first batch that is dropped, before the others go.
      const note = noteOf(sequence, `[${bytes} bytes of output were dropped here]\n`);
      await this.#persist(async () => {
        await this.#store.put(this.#runId, note);
        if (this.#deleteTo > sequence) await this.#store.drop(this.#runId, sequence + 1, this.#deleteTo);
        this.#deleteTo = 0;
      });
    }
    for (const kept of this.#tail.filter(({ saved }) => !saved)) {
      kept.saved = true;
      await this.#save(kept.batch);
    }
  }

  async #save(batch: Batch): Promise<void> {
    if (!(await this.#persist(() => this.#store.put(this.#runId, batch)))) {
      this.truncated = true;
      this.#lost = grow(this.#lost, batch);
      return;
    }
    if (!this.#lost) return;
    const note = noteOf(this.#lost.sequence, `[${this.#lost.bytes} bytes of output could not be stored]\n`);
    this.#lost = undefined;
    await this.#persist(() => this.#store.put(this.#runId, note));
  }

  async #persist(write: () => Promise<void>): Promise<boolean> {
    const { firstMs, laterMs, attemptMs } = this.#patience;
    if (Date.now() < this.#givenUpUntil) return false;
    try {
      await tryFor({ totalMs: this.#givenUpUntil > 0 ? 0 : firstMs, attemptMs }, write);
      this.#givenUpUntil = 0;
      return true;
    } catch (err) {
      this.#log.warn({ err, run_id: this.#runId }, 'output cannot be stored');
      this.#givenUpUntil = Date.now() + laterMs;
      return false;
    }
  }
}

function grow(gap: Gap | undefined, { sequence, bytes }: Batch): Gap {
  return { sequence: gap?.sequence ?? sequence, bytes: (gap?.bytes ?? 0) + bytes };
}

function noteOf(sequence: number, content: string): Batch {
  const piece: OutputPiece = { stream: 'system', content, timestamp: new Date().toISOString() };
  return { sequence, pieces: [piece], bytes: 0, note: true };
}

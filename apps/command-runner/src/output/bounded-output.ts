import type { OutputPiece } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { tryFor } from '../retry.ts';
import type { Batch } from './output-recorder.ts';
import type { OutputStore } from './output-store.ts';

/** What a batch and a piece count besides their bytes: many short lines must not fill the database either. */
const batchCost = 64;
const pieceCost = 16;

/** How long the database may fail before output is let go, in milliseconds; afterwards it is tried once in a while. */
const patience = { firstMs: 30_000, laterMs: 5_000, attemptMs: 10_000 };

interface Kept {
  sequence: number;
  cost: number;
  bytes: number;
}

/**
 * The stored output of one run, within a bound: the first quarter and the end are kept, of the rest a note says how much
 * it was. The end is trimmed in steps, so it is between five and six eighths of the bound.
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
  #note: { sequence: number; bytes: number } | undefined;
  #lost: { sequence: number; bytes: number } | undefined;
  #givenUpUntil = 0;

  constructor(store: OutputStore, runId: string, limitBytes: number, log: Logger, waits = patience) {
    this.#store = store;
    this.#runId = runId;
    this.#limit = limitBytes;
    this.#log = log;
    this.#patience = waits;
  }

  /** Keep a batch. */
  async add(batch: Batch): Promise<void> {
    if (!(await this.#persist(() => this.#store.put(this.#runId, batch)))) return this.#lose(batch);
    if (this.#lost) await this.#noteLoss(this.#lost);
    const { sequence, bytes, pieces } = batch;
    const cost = bytes + batchCost + pieceCost * pieces.length;
    if (this.#tail.length === 0 && !this.#note && this.#head + cost <= this.#limit / 4) {
      this.#head += cost;
      return;
    }
    this.#tail.push({ sequence, cost, bytes });
    this.#tailCost += cost;
    if (this.#tailCost > (this.#limit * 3) / 4) await this.#trim();
  }

  async #trim(): Promise<void> {
    let dropped = 0;
    let bytes = 0;
    for (const kept of this.#tail) {
      if (this.#tailCost <= (this.#limit * 5) / 8 || dropped === this.#tail.length - 1) break;
      this.#tailCost -= kept.cost;
      bytes += kept.bytes;
      dropped++;
    }
    const gone = this.#tail.splice(0, dropped);
    const [first, last] = [gone[0], gone.at(-1)];
    if (!first || !last) return;
    this.truncated = true;
    // The note takes the place of the first batch that is dropped, before the others go.
    this.#note = { sequence: this.#note?.sequence ?? first.sequence, bytes: (this.#note?.bytes ?? 0) + bytes };
    const note = this.#note;
    const text = `[${note.bytes} bytes of output were dropped here]\n`;
    await this.#persist(async () => {
      await this.#store.put(this.#runId, systemBatch(note.sequence, text));
      await this.#store.drop(this.#runId, note.sequence + 1, last.sequence);
    });
  }

  #lose({ sequence, bytes }: Batch): void {
    this.truncated = true;
    this.#lost = { sequence: this.#lost?.sequence ?? sequence, bytes: (this.#lost?.bytes ?? 0) + bytes };
  }

  async #noteLoss({ sequence, bytes }: { sequence: number; bytes: number }): Promise<void> {
    this.#lost = undefined;
    const text = `[${bytes} bytes of output could not be stored]\n`;
    await this.#persist(() => this.#store.put(this.#runId, systemBatch(sequence, text)));
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

function systemBatch(sequence: number, content: string): Batch {
  const piece: OutputPiece = { stream: 'system', content, timestamp: new Date().toISOString() };
  return { sequence, pieces: [piece], bytes: 0 };
}

import type { Logger } from '@claude-cli/shared/logger';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { tryFor, within } from '../retry.ts';
import type { CommandEnd, CommandRecord, Report } from './command.ts';
import type { CommandStore } from './command-store.ts';

/** A run that is over within so many milliseconds, and writes nothing, is stored once, with its end. */
const lateMs = 50;
/** How long the database may take to store a record before output goes on without it, and the pause after a failure, in milliseconds. */
const beginning = { attemptMs: 5_000, pauseMs: 5_000 };
/** How long storing an end is tried before it is reported from memory. */
const patience = { totalMs: 30_000, attemptMs: 10_000 };

/**
 * The record of a run that has been started. One that was not stored before is stored when it is first needed: before what
 * the run writes, when it goes on for a moment, or at its end.
 */
export class StoredRecord {
  readonly #store: CommandStore;
  readonly #record: CommandRecord;
  readonly #log: Logger;
  #isStored: boolean;
  #storing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** @param isStored whether the record was stored before the process was started */
  constructor(store: CommandStore, record: CommandRecord, isStored: boolean, log: Logger) {
    this.#store = store;
    this.#record = record;
    this.#isStored = isStored;
    this.#log = log;
  }

  /** Its process is there, or there will be none. */
  began(pid: number | undefined, started: string | undefined): void {
    this.#record.pid = pid ?? null;
    this.#record.pid_started = started ?? null;
    if (!this.#isStored && !this.#storing) this.#later(lateMs);
    else if (pid !== undefined) void this.#setProcess();
  }

  /** Resolves when the record is stored, or cannot be now: then it is tried again later. Never rejects. */
  async ensure(): Promise<void> {
    // A failure is not waited for again and again: the timer is the next attempt.
    if (this.#isStored || this.#ended) return;
    this.#storing ??= this.#begin();
    await this.#storing;
  }

  /**
   * Store how the run ended, with the report of it, and the record where it is not stored. Answers whether that is done:
   * not when the database is away for long, nor when another attempt has replaced the record.
   */
  async finish(end: CommandEnd, report: Report | undefined): Promise<boolean> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#storing;
    try {
      return await tryFor(patience, () => this.#store.finish(this.#record, end, report));
    } catch (err) {
      this.#log.error({ err, command_id: this.#record._id }, 'the end of a command cannot be stored');
      return false;
    }
  }

  async #setProcess(): Promise<void> {
    await this.#storing;
    await this.#store.setProcess(this.#record).catch((err) => this.#warn(err));
  }

  async #begin(): Promise<void> {
    clearTimeout(this.#timer);
    try {
      await within(beginning.attemptMs, this.#store.add(this.#record));
      this.#isStored = true;
    } catch (err) {
      // Another attempt has replaced it, or an answer was lost.
      if (isDuplicateKey(err)) this.#isStored = true;
      else {
        this.#warn(err);
        this.#later(beginning.pauseMs);
      }
    }
  }

  #later(pauseMs: number): void {
    if (this.#ended) return;
    this.#timer = setTimeout(() => {
      this.#storing = this.#begin();
    }, pauseMs);
  }

  #warn(err: unknown): void {
    this.#log.warn({ err, command_id: this.#record._id }, 'a command is not recorded yet');
  }
}

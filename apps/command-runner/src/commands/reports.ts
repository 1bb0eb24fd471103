import { setTimeout } from 'node:timers/promises';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import { every } from '@claude-cli/shared/timer';
import type { CommandRecord, Report } from './command.ts';
import type { CommandStore } from './command-store.ts';

/** Pause between looks for reports that were left, in milliseconds. */
const sweepMs = 1_000;
/** Pauses between attempts to tell a report that could not be stored, in milliseconds. */
const retry = { firstMs: 200, mostMs: 5_000 };

/**
 * Tells how commands ended, at least once: a report is stored with the end that it tells and stays until the broker has
 * confirmed it, so it survives an outage of the broker and the death of this process.
 */
export class Reports implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #log: Logger;
  readonly #outbox: Outbox<Report>;
  readonly #sweeper: AsyncDisposable;
  readonly #waiting = new Map<string, () => void>();
  readonly #stop = new AbortController();

  constructor(bus: Bus, commands: CommandStore, log: Logger) {
    this.#bus = bus;
    this.#log = log;
    this.#outbox = new Outbox<Report>(commands.model.collection, (report) => this.#tell(report), log);
    this.#sweeper = every(sweepMs, 'telling the reports that were left', () => this.#outbox.sweep(), log);
  }

  /**
   * Tell the reports of a record. Resolves when the broker has them from this runner, or this runner stops; after an outage
   * another runner may have told them, and whoever waits has to know by other means, as the holder of a lease does.
   */
  async send({ _id, outbox }: Pick<CommandRecord, '_id' | 'outbox'>): Promise<void> {
    const told = outbox.map(({ id }) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.set(id, resolve);
      return promise;
    });
    void this.#outbox.flush({ _id, outbox });
    await Promise.all(told);
  }

  /** Tell a report that could not be stored, from memory: again and again until the broker has it or this runner stops. */
  async sendUnstored(report: Report): Promise<void> {
    for (let pause = retry.firstMs; !this.#stop.signal.aborted; pause = Math.min(retry.mostMs, pause * 2)) {
      try {
        return await this.#tell(report);
      } catch (err) {
        this.#log.warn({ err, event: report.event.id }, 'a report waits in memory');
        await setTimeout(pause, undefined, { signal: this.#stop.signal }).catch(() => {});
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#sweeper[Symbol.asyncDispose]();
    await this.#outbox[Symbol.asyncDispose]();
    for (const resolve of this.#waiting.values()) resolve();
  }

  async #tell({ id, event }: Report): Promise<void> {
    await this.#bus.publishEvent(event);
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }
}

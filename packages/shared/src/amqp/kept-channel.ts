import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmChannel, RecoveringChannelModel } from 'amqplib';
import type { Logger } from '../logger.ts';

/** Pause before a channel that was closed is opened again, in milliseconds. */
const reopenDelayMs = 500;

/** How long the broker may take to answer that something is closed, in milliseconds. */
const closeMs = 2_000;

/** Close something of the broker's. What is lost while it is being closed is never answered: it is not waited for long. */
export async function closeInTime(close: () => Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, closeMs);
  await Promise.race([close().catch(() => {}), late.promise]);
  clearTimeout(timer);
}

/**
 * A channel that is opened again whenever it or its connection is lost. What the channel needs (prefetch, queues,
 * consumers) belongs into its set-up, which runs each time.
 */
export class KeptChannel implements AsyncDisposable {
  readonly #connection: RecoveringChannelModel;
  readonly #setUp: (channel: ConfirmChannel) => Promise<void>;
  readonly #log: Logger;
  #current: ConfirmChannel | undefined;
  /** Resolves when the channel that was opened last is closed. */
  #closed: Promise<void> = Promise.resolve();
  #disposed = false;

  private constructor(
    connection: RecoveringChannelModel,
    setUp: (channel: ConfirmChannel) => Promise<void>,
    log: Logger,
  ) {
    this.#connection = connection;
    this.#setUp = setUp;
    this.#log = log;
  }

  /** Resolves when the channel was set up for the first time. */
  static async open(
    connection: RecoveringChannelModel,
    setUp: (channel: ConfirmChannel) => Promise<void>,
    log: Logger,
  ): Promise<KeptChannel> {
    const kept = new KeptChannel(connection, setUp, log);
    await kept.#open();
    void kept.#keep();
    return kept;
  }

  /** The channel; undefined while it is being opened again. */
  get current(): ConfirmChannel | undefined {
    return this.#current;
  }

  /** Close for good. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const channel = this.#current;
    this.#current = undefined;
    if (channel) await closeInTime(() => channel.close());
  }

  async #open(): Promise<void> {
    const channel = await this.#connection.createConfirmChannel();
    channel.on('error', (err) => this.#log.warn({ err }, 'broker channel failed'));
    this.#closed = new Promise((resolve) => channel.once('close', resolve));
    channel.once('close', () => {
      this.#current = undefined;
    });
    try {
      await this.#setUp(channel);
    } catch (err) {
      await closeInTime(() => channel.close());
      throw err;
    }
    // Given up while it was being opened: nobody else would close it.
    if (this.#disposed) await closeInTime(() => channel.close());
    else this.#current = channel;
  }

  /** Open it again whenever it is closed, by one attempt after the other. */
  async #keep(): Promise<void> {
    for (;;) {
      await this.#closed;
      // Nothing that was given up keeps the process from ending.
      if (!this.#disposed) await delay(reopenDelayMs);
      if (this.#disposed) return;
      await this.#open().catch((err) => this.#log.warn({ err }, 'broker channel cannot be opened'));
    }
  }
}

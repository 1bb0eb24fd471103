import { bundles, type Part, partsOf } from '@claude-cli/shared/amqp/bundle';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { handledMessage, setAside } from '@claude-cli/shared/amqp/metrics';
import { settle, tryAgain } from '@claude-cli/shared/amqp/retries';
import { contentType, sendAlone } from '@claude-cli/shared/amqp/sending';
import { singleActiveQueue } from '@claude-cli/shared/amqp/topology';
import { Batches } from '@claude-cli/shared/batches';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { every } from '@claude-cli/shared/timer';
import { countPassedOn } from '../metrics/prometheus.ts';
import type { EventLog } from './event-log.ts';
import type { NewEntry } from './numbering.ts';
import { loggedPatterns, scopeOf } from './scope.ts';

type Channel = NonNullable<KeptChannel['current']>;
type Delivery = NonNullable<Parameters<Parameters<Channel['consume']>[1]>[0]>;

/** Messages of which the events are numbered at once, at most. */
const batchSize = 100;
/** How often events are numbered, unless there are many: who watches hears of what keeps coming by so much later. */
const pace = { everyMs: 40, burst: 10 };
/** Pause between storing how far the scopes have come, in milliseconds. */
const saveMs = 5_000;
/** How long the broker may take to take a batch over, in milliseconds. */
const confirmMs = 10_000;
/** Failures on one event, outages apart, after which it is set aside: all others wait meanwhile, some seconds. */
const attempts = 4;
/** Longest pause before a batch is tried again, in milliseconds. */
const longestPauseMs = 2_000;

/** What numbers events. */
export interface SequencerParts {
  bus: Bus;
  eventLog: EventLog;
  log: Logger;
}

/**
 * Numbers the events of all scopes, stores them and passes them on to whoever watches their scope. Of all replicas the
 * broker lets one do it at a time.
 *
 * A batch is stored, then passed on, then acknowledged. Whoever dies in between leaves it to the next one, who finds in the
 * log what was stored and passes it on again with the same numbers.
 */
export async function runSequencer({ bus, eventLog, log }: SequencerParts): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  stack.use(every(saveMs, 'storing how far events have come', () => eventLog.saveHeads(), log));
  // Once nothing is numbered any more.
  stack.defer(() => eventLog.saveHeads().catch((err) => log.warn({ err }, 'how far events have come is not stored')));
  const turns = new Set<Turn>();
  stack.defer(async () => void (await Promise.all([...turns].map((turn) => turn[Symbol.asyncDispose]()))));
  stack.use(
    await bus.openChannel(async (channel) => {
      const turn = new Turn(channel, { bus, eventLog, log });
      turns.add(turn);
      channel.once('close', () => void turn[Symbol.asyncDispose]().then(() => turns.delete(turn)));
      const queue = bus.names.serviceQueue('realtime.log');
      await channel.assertQueue(queue, singleActiveQueue(bus.names));
      for (const pattern of loggedPatterns) await channel.bindQueue(queue, bus.names.events, pattern);
      await channel.prefetch(batchSize);
      await channel.consume(queue, (delivery) => {
        if (delivery === null) return void channel.close().catch(() => {});
        turn.take(delivery);
      });
    }),
  );
  const running = stack.move();
  return { [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** One life of the channel. What it did not acknowledge comes again on another one. */
class Turn implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #parts: SequencerParts;
  readonly #closed = new AbortController();
  readonly #batches: Batches<Delivery, undefined>;

  constructor(channel: Channel, parts: SequencerParts) {
    this.#channel = channel;
    this.#parts = parts;
    this.#batches = new Batches(
      async (batch) => {
        await this.#handle(batch);
        return batch.map(() => undefined);
      },
      { most: batchSize, pace },
    );
    channel.once('close', () => this.#closed.abort());
  }

  /** Take a message. */
  take(delivery: Delivery): void {
    void this.#batches.add(delivery);
  }

  /** Waits for what is under way. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#batches[Symbol.asyncDispose]();
  }

  async #handle(batch: Delivery[]): Promise<void> {
    if ((await this.#attempt(batch, batch.length === 1 ? attempts : 1)) !== 'given up') return;
    // One of them cannot be stored: alone it does not hold up the others.
    for (const delivery of batch) {
      if ((await this.#attempt([delivery], attempts)) !== 'given up' || (await this.#tookApart(delivery))) continue;
      this.#parts.log.error(
        { message_id: delivery.properties.messageId },
        'an event that cannot be numbered is set aside',
      );
      setAside('realtime.log');
      settle(() => this.#channel.reject(delivery, false));
    }
  }

  #attempt(batch: Delivery[], limit: number) {
    let again = false;
    const run = handledMessage('realtime.log', async () => {
      const doubtful = again || batch.some(({ fields }) => fields.redelivered);
      again = true;
      const entries = await this.#parts.eventLog.add(
        batch.flatMap((delivery) => this.#read(delivery)),
        doubtful,
      );
      if (this.#closed.signal.aborted) return;
      await this.#passOn(entries);
      countPassedOn(entries.map(({ event }) => event));
      // Batches are handled one after the other, so what came before was answered, too.
      const last = batch.at(-1);
      if (last) settle(() => this.#channel.ack(last, true));
    });
    return tryAgain(run, {
      limit,
      signal: this.#closed.signal,
      longestPauseMs,
      failed: (err, attempt) =>
        this.#parts.log.warn({ err, attempt, events: batch.length }, 'events cannot be numbered yet'),
    });
  }

  /** Has the events of one message come again each alone. @returns false when there is only one */
  async #tookApart(delivery: Delivery): Promise<boolean> {
    const parts = partsOf(delivery);
    if (parts.length === 1) return false;
    try {
      const queue = this.#parts.bus.names.serviceQueue('realtime.log');
      await Promise.all(parts.map((part) => sendAlone(this.#channel, queue, part)));
      settle(() => this.#channel.ack(delivery));
    } catch (err) {
      // The next life of the channel brings it again.
      this.#parts.log.warn({ err }, 'events that cannot be numbered together cannot be told alone yet');
      await this.#channel.close().catch(() => {});
    }
    return true;
  }

  /** What cannot be read is logged and dropped. */
  #read(delivery: Delivery): AnyEvent[] {
    const { messageId } = delivery.properties;
    try {
      return partsOf(delivery).flatMap((part) => this.#eventOf(part));
    } catch (err) {
      this.#parts.log.error({ err, message_id: messageId }, 'events cannot be read');
      return [];
    }
  }

  #eventOf({ id, body }: Part): AnyEvent[] {
    try {
      const event = body as AnyEvent;
      return scopeOf(event) === undefined ? [] : [event];
    } catch (err) {
      this.#parts.log.error({ err, message_id: id }, 'an event cannot be read');
      return [];
    }
  }

  async #passOn(entries: readonly NewEntry[]): Promise<void> {
    const { names, together } = this.#parts.bus;
    for (const [scope, ofOne] of Map.groupBy(entries, ({ scope }) => scope)) {
      const parts = ofOne.map(({ epoch, seq, count, event }) => {
        return { id: event.id, headers: {}, body: { epoch, seq, count, event } };
      });
      for (const { content, ...about } of bundles(parts, together)) {
        this.#channel.publish(names.live, scope, content, { ...about, persistent: false, contentType });
      }
    }
    const timer = setTimeout(() => void this.#channel.close().catch(() => {}), confirmMs);
    await this.#channel.waitForConfirms().finally(() => clearTimeout(timer));
  }
}

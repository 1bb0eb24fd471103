import type { Duplex } from 'node:stream';
import { context, propagation } from '@opentelemetry/api';
import { type ChannelModel, type ConfirmChannel, connect, type Message, type RecoveringChannelModel } from 'amqplib';
import { Batches, inGroups } from '../batches.ts';
import { routingKey } from '../event-routing.ts';
import type { AnyEvent, PlatformEvent } from '../events.ts';
import { newId } from '../ids.ts';
import { Limiter } from '../limiter.ts';
import type { Logger } from '../logger.ts';
import { type Bundle, bundles, type Part, partCount } from './bundle.ts';
import { gatherWrites } from './gather-writes.ts';
import { handle, type Subscription } from './handle.ts';
import { closeInTime, KeptChannel } from './kept-channel.ts';
import { countEvent } from './metrics.ts';
import { brokerAway, confirmed, contentOf, contentType } from './sending.ts';
import { declareTopology, durableQueue, type Names, namesFor, type Priority } from './topology.ts';

/** How long opening a connection may take, in milliseconds. */
const connectTimeoutMs = 10_000;
/** A broker that is silent for twice as long is taken for dead. */
const heartbeatSeconds = 10;
/**
 * Events are sent at once where they are few; where they are many, those of the same routing key go together. Whoever hears of them
 * does so by so much later.
 */
const gathering = { most: 400, width: 8, pace: { everyMs: 40, burst: 10 } };

/** An order to all runners. */
export interface ControlMessage {
  order: 'cancel';
  /** Id of an execution or a direct command. */
  command_id: string;
}

/** Options of one message. */
interface Delivery {
  messageId?: string;
  headers?: Record<string, unknown>;
  persistent: boolean;
  /** It must come into a queue; without one it is refused instead of lost. Needs a messageId. */
  mandatory?: boolean;
}

/** An event that waits to be sent. */
interface Told {
  key: string;
  part: Part;
}

/** The connection of one process to RabbitMQ. Reconnects by itself. */
export class Bus implements AsyncDisposable {
  readonly names: Names;
  /** Whether things that go the same way at the same time are sent as one message. */
  readonly together: boolean;
  readonly #connection: RecoveringChannelModel;
  readonly #publisher: KeptChannel;
  readonly #log: Logger;
  /** Ids of messages that the broker gave back, until they are confirmed. */
  readonly #returned: Set<string>;
  readonly #events = new Batches<Told, undefined>(
    (told) =>
      inGroups(
        told,
        ({ key }) => key,
        (ofOne) => this.#sendEvents(ofOne),
      ),
    gathering,
  );

  private constructor(
    connection: RecoveringChannelModel,
    { publisher, returned }: { publisher: KeptChannel; returned: Set<string> },
    { names, together }: Pick<Bus, 'names' | 'together'>,
    log: Logger,
  ) {
    this.#connection = connection;
    this.#publisher = publisher;
    this.#returned = returned;
    this.names = names;
    this.together = together;
    this.#log = log;
  }

  /**
   * Connect and declare the topology. Waits for a broker that is not there yet.
   * @param together whether all who read what is sent here can read several things in one message
   */
  static async connect(url: string, prefix: string, log: Logger, { together = true } = {}): Promise<Bus> {
    const names = namesFor(prefix);
    const connection = await connect(withHeartbeat(url), {
      // A message of more than one packet would otherwise wait 40 ms for a delayed TCP acknowledgement.
      noDelay: true,
      timeout: connectTimeoutMs,
      recovery: {
        maxDelay: 5_000,
        waitForConnect: false,
        setup: async (model: ChannelModel) => {
          gatherWrites((model.connection as unknown as { stream: Duplex }).stream);
          // Until the set-up is done nobody else listens, and an error that nobody listens to ends the process.
          model.on('error', () => {});
          const channel = await model.createChannel();
          await declareTopology(channel, names);
          await channel.close();
        },
      },
    });
    connection.on('connect-failed', (err) => log.warn({ err: err.message }, 'broker cannot be reached'));
    connection.on('disconnect', (err) => log.warn({ err: err?.message }, 'broker disconnected'));
    connection.on('connect', () => log.debug('broker connected'));
    connection.on('error', (err) => log.warn({ err }, 'broker connection failed'));
    await connection.waitForConnect();
    const returned = new Set<string>();
    const setUp = async (channel: ConfirmChannel) => {
      returned.clear();
      channel.on('return', ({ properties }: Message) => returned.add(properties.messageId));
    };
    const publisher = await KeptChannel.open(connection, setUp, log);
    return new Bus(connection, { publisher, returned }, { names, together }, log);
  }

  /** Whether messages can be sent now. */
  get connected(): boolean {
    return this.#publisher.current !== undefined;
  }

  /**
   * Tell a fact: to the broker, and once it has it, to the log and the metrics. Rejects when the broker has not taken it within
   * 10 s of its being sent. Output is transient, the rest persistent.
   */
  async publishEvent(event: PlatformEvent): Promise<void> {
    const { id, type, project_id, actor, traceparent } = event;
    const persistent = type !== 'command.output';
    const key = routingKey(event as AnyEvent);
    const headers = traceHeaders(traceparent);
    if (persistent && this.together) await this.#events.add({ key, part: { id, headers, body: event } });
    else await this.#publish(this.names.events, key, contentOf(event), { messageId: id, headers, persistent });
    countEvent(type);
    if (persistent) this.#log.debug({ event_id: id, type, project_id, actor }, 'event');
  }

  /**
   * Announce to the runners that something of a priority may run: a token, which names no execution. Whoever takes it asks
   * task-service what to run; one token too many finds nothing. A queue that was deleted is declared again.
   */
  async publishJob(priority: Priority): Promise<void> {
    const send = () => {
      const delivery = { persistent: true, mandatory: true, messageId: newId(), headers: traceHeaders() };
      return this.#publish(this.names.executions, priority, contentOf({ priority }), delivery);
    };
    if (await send()) return;
    await this.countJobs(priority);
    if (!(await send())) throw brokerAway('no queue takes what may run');
  }

  /** How many tokens of a priority no runner has taken. A queue that was deleted is declared again. */
  async countJobs(priority: Priority): Promise<number> {
    const channel = this.#publisher.current;
    if (!channel) throw brokerAway('the broker is not connected');
    const queue = this.names.executionQueue(priority);
    const { messageCount } = await channel.assertQueue(queue, durableQueue(this.names));
    await channel.bindQueue(queue, this.names.executions, priority);
    return messageCount;
  }

  /** Drop the tokens of a priority that no runner has taken. */
  async dropJobs(priority: Priority): Promise<void> {
    const channel = this.#publisher.current;
    if (!channel) throw brokerAway('the broker is not connected');
    await channel.purgeQueue(this.names.executionQueue(priority));
  }

  /** Give an order to all runners that are there now. */
  async publishControl(message: ControlMessage): Promise<void> {
    await this.#publish(this.names.control, '', contentOf(message), { headers: traceHeaders(), persistent: false });
  }

  /** A channel of one's own, for consumers that decide themselves what to take. */
  openChannel(setUp: (channel: ConfirmChannel) => Promise<void>): Promise<KeptChannel> {
    return KeptChannel.open(this.#connection, setUp, this.#log);
  }

  /**
   * Handle messages. A handler that throws is tried again with growing pauses, while the broker keeps the message: without
   * end during outages of what it needs, else for some minutes. Then the message goes to the dead letters, as one that is
   * not JSON does at once; without a durable queue it is dropped. Of several things that came as one message, those on which the
   * handler throws go back into the queue each as a message of its own.
   */
  subscribe<Message>(
    subscription: Subscription,
    handler: (message: Message, redelivered: boolean) => Promise<void>,
  ): Promise<KeptChannel> {
    return this.openChannel(async (channel) => {
      const closed = new AbortController();
      channel.once('close', () => closed.abort());
      const queue = await this.#declareQueue(channel, subscription);
      const isOwn = subscription.queue === undefined;
      const consumer = isOwn ? `own ${subscription.exchange}` : queue.slice(this.names.events.lastIndexOf('.') + 1);
      const reader = { channel, queue, consumer, closed: closed.signal, log: this.#log };
      const limiter = new Limiter(subscription.atOnce ?? Number.POSITIVE_INFINITY);
      await channel.prefetch(subscription.prefetch);
      await channel.consume(queue, (delivery) => {
        if (delivery === null) void channel.close().catch(() => {});
        else void limiter.run(partCount(delivery), () => handle(reader, delivery, subscription, handler));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events[Symbol.asyncDispose]();
    await this.#publisher[Symbol.asyncDispose]();
    await closeInTime(() => this.#connection.close());
  }

  async #declareQueue(channel: ConfirmChannel, { queue, exchange, patterns }: Subscription): Promise<string> {
    const declared = queue
      ? await channel.assertQueue(queue, durableQueue(this.names))
      : await channel.assertQueue('', { exclusive: true, autoDelete: true });
    for (const pattern of patterns) await channel.bindQueue(declared.queue, this.names[exchange], pattern);
    return declared.queue;
  }

  /** Send events of one routing key. */
  async #sendEvents(told: readonly Told[]): Promise<undefined[]> {
    const [{ key } = { key: '' }] = told;
    const parts = told.map(({ part }) => part);
    const send = ({ content, ...about }: Bundle) =>
      this.#publish(this.names.events, key, content, { ...about, persistent: true });
    await Promise.all(bundles(parts, this.together).map(send));
    return told.map(() => undefined);
  }

  /** @returns false when it must come into a queue and there is none */
  async #publish(exchange: string, key: string, content: Buffer, delivery: Delivery): Promise<boolean> {
    const { messageId, headers = {}, persistent, mandatory = false } = delivery;
    const channel = this.#publisher.current;
    if (!channel) throw brokerAway('the broker is not connected');
    const options = { persistent, mandatory, headers, contentType, ...(messageId ? { messageId } : {}) };
    await confirmed((done) => channel.publish(exchange, key, content, options, done));
    // What is given back is given back before it is confirmed.
    return messageId === undefined || !this.#returned.delete(messageId);
  }
}

/** @param traceparent its place in a trace, where none is active */
function traceHeaders(traceparent?: string): Record<string, string> {
  const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
  propagation.inject(context.active(), headers);
  return headers;
}

/** The broker's address with a heartbeat, unless it names one, so that a peer that died silently is noticed. */
function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(heartbeatSeconds));
  return address.toString();
}

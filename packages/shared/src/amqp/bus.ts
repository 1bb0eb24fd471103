import { context, propagation } from '@opentelemetry/api';
import {
  type ChannelModel,
  type ConfirmChannel,
  type ConsumeMessage,
  connect,
  type RecoveringChannelModel,
} from 'amqplib';
import { PlatformError } from '../errors.ts';
import { type AnyEvent, type PlatformEvent, routingKey } from '../events.ts';
import type { Logger } from '../logger.ts';
import { inSpanOf } from '../telemetry.ts';
import { KeptChannel } from './kept-channel.ts';
import { settle, tryAgain, usualAttempts } from './retries.ts';
import { declareTopology, durableQueue, type Names, namesFor, type Priority } from './topology.ts';

/** How long the broker may take to confirm a message, in milliseconds. */
const confirmTimeoutMs = 10_000;
/** A broker that is silent for twice as long is taken for dead. */
const heartbeatSeconds = 10;

/** An order to all runners. */
export interface ControlMessage {
  order: 'cancel';
  /** Id of an execution or a direct command. */
  command_id: string;
}

/** Where a subscription gets its messages from. */
export interface Subscription {
  /** A durable queue shared by the replicas of one service; absent: a queue of this process alone, gone with it. */
  queue?: string;
  /** Exchange that the queue is bound to. */
  exchange: 'events' | 'control';
  /** Routing patterns; see eventPattern. */
  patterns: readonly string[];
  /** Messages that are handled at once. */
  prefetch: number;
  /** Failures of the handler on one message, outages apart, after which the message is set aside; see usualAttempts. */
  attempts?: number;
}

/** Options of one message. */
interface Delivery {
  messageId?: string;
  persistent: boolean;
}

/** The connection of one process to RabbitMQ. Reconnects by itself. */
export class Bus implements AsyncDisposable {
  readonly names: Names;
  readonly #connection: RecoveringChannelModel;
  readonly #publisher: KeptChannel;
  readonly #log: Logger;

  private constructor(connection: RecoveringChannelModel, publisher: KeptChannel, names: Names, log: Logger) {
    this.#connection = connection;
    this.#publisher = publisher;
    this.names = names;
    this.#log = log;
  }

  /** Connect and declare the topology. Waits for a broker that is not there yet. */
  static async connect(url: string, prefix: string, log: Logger): Promise<Bus> {
    const names = namesFor(prefix);
    const connection = await connect(withHeartbeat(url), {
      // A message of more than one packet would otherwise wait 40 ms for a delayed TCP acknowledgement.
      noDelay: true,
      recovery: {
        maxDelay: 5_000,
        waitForConnect: false,
        setup: async (model: ChannelModel) => {
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
    const publisher = await KeptChannel.open(connection, async () => {}, log);
    return new Bus(connection, publisher, names, log);
  }

  /** Whether messages can be sent now. */
  get connected(): boolean {
    return this.#publisher.current !== undefined;
  }

  /** Tell a fact. Resolves when the broker has it; rejects when it has not within 10 s. Output is transient, the rest persistent. */
  publishEvent(event: PlatformEvent): Promise<void> {
    const persistent = event.type !== 'command.output';
    return this.#publish(this.names.events, routingKey(event as AnyEvent), event, { messageId: event.id, persistent });
  }

  /**
   * Announce to the runners that something of a priority may run: a token, which names no execution. Whoever takes it asks
   * task-service what to run; one token too many finds nothing.
   */
  publishJob(priority: Priority): Promise<void> {
    return this.#publish(this.names.executions, priority, { priority }, { persistent: true });
  }

  /** How many tokens of a priority no runner has taken. A queue that was deleted is declared again. */
  async countJobs(priority: Priority): Promise<number> {
    const channel = this.#publisher.current;
    if (!channel) throw new Error('the broker is not connected');
    const queue = this.names.executionQueue(priority);
    const { messageCount } = await channel.assertQueue(queue, durableQueue(this.names));
    await channel.bindQueue(queue, this.names.executions, priority);
    return messageCount;
  }

  /** Give an order to all runners that are there now. */
  publishControl(message: ControlMessage): Promise<void> {
    return this.#publish(this.names.control, '', message, { persistent: false });
  }

  /** A channel of one's own, for consumers that decide themselves what to take. */
  openChannel(setUp: (channel: ConfirmChannel) => Promise<void>): Promise<KeptChannel> {
    return KeptChannel.open(this.#connection, setUp, this.#log);
  }

  /**
   * Handle messages. A handler that throws is tried again with growing pauses, while the broker keeps the message: without
   * end during outages of what it needs, else for some minutes. Then the message goes to the dead letters, as one that is
   * not JSON does at once; without a durable queue it is dropped.
   */
  subscribe<Message>(
    subscription: Subscription,
    handler: (message: Message, redelivered: boolean) => Promise<void>,
  ): Promise<KeptChannel> {
    return this.openChannel(async (channel) => {
      const closed = new AbortController();
      channel.once('close', () => closed.abort());
      const queue = await this.#declareQueue(channel, subscription);
      await channel.prefetch(subscription.prefetch);
      await channel.consume(queue, (delivery) => {
        if (delivery === null) void channel.close().catch(() => {});
        else void this.#handle(channel, closed.signal, delivery, subscription, handler);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#publisher[Symbol.asyncDispose]();
    await this.#connection.close();
  }

  async #declareQueue(channel: ConfirmChannel, { queue, exchange, patterns }: Subscription): Promise<string> {
    const declared = queue
      ? await channel.assertQueue(queue, durableQueue(this.names))
      : await channel.assertQueue('', { exclusive: true, autoDelete: true });
    for (const pattern of patterns) await channel.bindQueue(declared.queue, this.names[exchange], pattern);
    return declared.queue;
  }

  async #handle<Message>(
    channel: ConfirmChannel,
    closed: AbortSignal,
    delivery: ConsumeMessage,
    { attempts = usualAttempts }: Subscription,
    handler: (message: Message, redelivered: boolean) => Promise<void>,
  ): Promise<void> {
    const about = { routing_key: delivery.fields.routingKey, message_id: delivery.properties.messageId };
    let message: Message;
    try {
      message = JSON.parse(delivery.content.toString());
    } catch {
      this.#log.error(about, 'a message that is not JSON is set aside');
      return settle(() => channel.reject(delivery, false));
    }
    const headers = delivery.properties.headers ?? {};
    const name = `consume ${delivery.fields.exchange}`;
    const end = await tryAgain(
      () => inSpanOf(headers, name, 'consumer', () => handler(message, delivery.fields.redelivered)),
      {
        limit: attempts,
        signal: closed,
        failed: (err, attempt) => this.#log.warn({ err, ...about, attempt }, 'a message could not be handled yet'),
      },
    );
    if (end === 'done') return settle(() => channel.ack(delivery));
    if (end === 'interrupted') return;
    this.#log.error({ ...about, attempts }, 'a message that cannot be handled is set aside');
    settle(() => channel.reject(delivery, false));
  }

  #publish(exchange: string, key: string, body: unknown, { messageId, persistent }: Delivery): Promise<void> {
    const headers: Record<string, string> = {};
    propagation.inject(context.active(), headers);
    return new Promise((resolve, reject) => {
      const channel = this.#publisher.current;
      if (!channel) return reject(brokerAway('the broker is not connected'));
      const timer = setTimeout(() => reject(brokerAway('the broker did not confirm in time')), confirmTimeoutMs);
      const options = { persistent, headers, contentType: 'application/json', ...(messageId ? { messageId } : {}) };
      channel.publish(exchange, key, Buffer.from(JSON.stringify(body)), options, (error) => {
        clearTimeout(timer);
        if (error) reject(brokerAway('the broker did not take a message', error));
        else resolve();
      });
    });
  }
}

function brokerAway(message: string, cause?: unknown): PlatformError {
  return new PlatformError('SERVICE_UNAVAILABLE', message, { service: 'broker' }, cause);
}

/** The broker's address with a heartbeat, unless it names one, so that a peer that died silently is noticed. */
function withHeartbeat(url: string): string {
  const address = new URL(url);
  if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(heartbeatSeconds));
  return address.toString();
}

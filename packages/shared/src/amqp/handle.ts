import type { ConfirmChannel, ConsumeMessage } from 'amqplib';
import { inParallel } from '../in-parallel.ts';
import type { Logger } from '../logger.ts';
import { inSpanOf } from '../telemetry/tracing.ts';
import { type Part, partsOf } from './bundle.ts';
import { handledMessage, setAside } from './metrics.ts';
import { settle, tryAgain, usualAttempts } from './retries.ts';
import { sendAlone } from './sending.ts';

/** Where a subscription gets its messages from. */
export interface Subscription {
  /** A durable queue shared by the replicas of one service; absent: a queue of this process alone, gone with it. */
  queue?: string;
  /** Exchange that the queue is bound to. */
  exchange: 'events' | 'control';
  /** Routing patterns; see eventPattern. */
  patterns: readonly string[];
  /** Messages that are handled at once, and so many of the events that one may bring. */
  prefetch: number;
  /**
   * Events that are handled at once, however many the messages bring; absent: all that they bring. For a durable queue alone: what
   * waits for its turn while the channel is lost comes again from nowhere else.
   */
  atOnce?: number;
  /** Failures of the handler on one message, outages apart, after which the message is set aside; see usualAttempts. */
  attempts?: number;
}

/** Where a message was read. */
export interface Reader {
  channel: ConfirmChannel;
  queue: string;
  /** What metrics and traces call whoever reads there. */
  consumer: string;
  /** Aborted when the channel is closed. */
  closed: AbortSignal;
  log: Logger;
}

/** Handle a message as the subscription says; see Bus.subscribe. */
export async function handle<Message>(
  reader: Reader,
  delivery: ConsumeMessage,
  { prefetch, attempts = usualAttempts }: Subscription,
  handler: (message: Message, redelivered: boolean) => Promise<void>,
): Promise<void> {
  const { channel, consumer, closed, log } = reader;
  const about = { routing_key: delivery.fields.routingKey, message_id: delivery.properties.messageId };
  // What waited for its turn meanwhile comes again.
  if (closed.aborted) return;
  let parts: Part[];
  try {
    parts = partsOf(delivery);
  } catch {
    log.error(about, 'a message that is not JSON is set aside');
    setAside(consumer);
    return settle(() => channel.reject(delivery, false));
  }
  const place = { kind: 'consumer', attributes: { 'messaging.system': 'rabbitmq' } } as const;
  const handlePart = ({ headers, body }: Part) => {
    const handled = handledMessage(consumer, () => handler(body as Message, delivery.fields.redelivered));
    return inSpanOf(headers, `consume ${consumer}`, place, handled);
  };
  const [part, ...more] = parts;
  if (!part || more.length > 0) return handleEach(reader, delivery, { parts, width: prefetch }, handlePart);
  const end = await tryAgain(() => handlePart(part), {
    limit: attempts,
    signal: closed,
    failed: (err, attempt) => log.warn({ err, ...about, attempt }, 'a message could not be handled yet'),
  });
  if (end === 'done') return settle(() => channel.ack(delivery));
  if (end === 'interrupted') return;
  log.error({ ...about, attempts }, 'a message that cannot be handled is set aside');
  setAside(consumer);
  settle(() => channel.reject(delivery, false));
}

/** Handle the parts of a message; what fails comes again alone. */
async function handleEach(
  { channel, queue, closed, log }: Reader,
  delivery: ConsumeMessage,
  { parts, width }: { parts: readonly Part[]; width: number },
  handlePart: (part: Part) => Promise<void>,
): Promise<void> {
  const failed: Part[] = [];
  await inParallel(parts, width, (part) =>
    handlePart(part).catch((err) => {
      log.warn({ err, message_id: part.id }, 'a message could not be handled yet, it is tried alone');
      failed.push(part);
    }),
  );
  try {
    await Promise.all(failed.map((part) => sendAlone(channel, queue, part)));
    settle(() => channel.ack(delivery));
  } catch (err) {
    if (closed.aborted) return;
    log.warn({ err, queue }, 'messages that could not be handled come again together');
    settle(() => channel.nack(delivery, false, true));
  }
}

import { createHash } from 'node:crypto';
import type { DeadLetter as DeadLetterMessage } from '@claude-cli/proto/platform/v1/queues';
import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { type Connection, type Model, Schema } from 'mongoose';

type Channel = NonNullable<KeptChannel['current']>;

/** A message as the broker delivers it. */
export type Delivery = Parameters<Channel['ack']>[0];

/** A replay that is under way. */
export interface Replay {
  token: string;
  at: Date;
}

/** A message that lies aside: moved out of the broker, where it could not be listed without being taken. */
export interface DeadLetter {
  /** Made of the queue and the message, so that moving it twice is harmless, and one that dies again is there once. */
  _id: string;
  /** Queue in which it died; null when the broker does not tell. */
  queue: string | null;
  exchange: string;
  routing_key: string;
  reason: string;
  died_at: Date;
  stored_at: Date;
  /** What people see of it. */
  text: string;
  /** The message in base64, for it may be anything; null when it is too large to be kept. */
  content: string | null;
  /** Whether it can be sent again: it is kept whole, and its queue is known. */
  replayable: boolean;
  message_id: string | null;
  content_type: string | null;
  /** Its headers as JSON, without those of the broker. */
  headers: string;
  replay: Replay | null;
}

/** Dead letters. */
export type DeadLetterModel = Model<DeadLetter>;

/** Bytes of a message up to which it is kept whole. */
const largestKept = 1_048_576;
/** Code points that people see of a message. */
const shownLength = 1_000;

const schema = new Schema<DeadLetter>(
  {
    _id: { type: String, required: true },
    queue: { type: String, default: null },
    exchange: { type: String, default: '' },
    routing_key: { type: String, default: '' },
    reason: { type: String, required: true },
    died_at: { type: Date, required: true },
    stored_at: { type: Date, required: true },
    text: { type: String, default: '' },
    content: { type: String, default: null },
    replayable: { type: Boolean, required: true },
    message_id: { type: String, default: null },
    content_type: { type: String, default: null },
    headers: { type: String, required: true },
    replay: { type: Schema.Types.Mixed, default: null },
  },
  { collection: 'dead_letters', versionKey: false },
);
schema.index({ died_at: -1, _id: -1 });
schema.index({ stored_at: 1 });

/** The dead letters of a database. */
export function deadLetterModel(connection: Connection): DeadLetterModel {
  return connection.model<DeadLetter>('DeadLetter', schema);
}

/** What the broker writes into the headers of a message that dies; the latest death comes first. */
interface Death {
  queue?: unknown;
  reason?: unknown;
  exchange?: unknown;
  'routing-keys'?: unknown[];
  time?: { value?: unknown };
}

/** A message out of the broker's queue of dead letters, as it is stored. */
export function letterOf({ content, fields, properties }: Delivery, now = new Date()): DeadLetter {
  const headers: Record<string, unknown> = properties.headers ?? {};
  const deaths = headers['x-death'];
  const death: Death = (Array.isArray(deaths) && deaths[0]) || {};
  const queue = textOr(null, death.queue);
  const message_id = textOr(null, properties.messageId);
  const isWhole = content.length <= largestKept;
  const { value: seconds } = death.time ?? {};
  return {
    _id: idOf(queue, message_id, content),
    queue,
    exchange: textOr(fields.exchange, death.exchange),
    routing_key: textOr(fields.routingKey, death['routing-keys']?.[0]),
    reason: textOr('unknown', death.reason),
    died_at: typeof seconds === 'number' ? new Date(seconds * 1000) : now,
    stored_at: now,
    text: firstOf(content),
    content: isWhole ? content.toString('base64') : null,
    replayable: isWhole && queue !== null,
    message_id,
    content_type: textOr(null, properties.contentType),
    headers: JSON.stringify(ownHeaders(headers)),
    replay: null,
  };
}

function idOf(queue: string | null, message_id: string | null, content: Buffer): string {
  const hash = createHash('sha256').update(JSON.stringify([queue, message_id]));
  return (message_id === null ? hash.update(content) : hash).digest('hex').slice(0, 32);
}

/** Without what the broker has added, which it would take for the past of the message that is sent again. */
function ownHeaders(headers: Record<string, unknown>): Record<string, unknown> {
  const brokers = /^x-(death|first-death-|last-death-|delivery-count|acquired-count)/;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !brokers.test(name)));
}

function firstOf(content: Buffer): string {
  // A code point has at most four bytes.
  const text = content.subarray(0, shownLength * 4).toString('utf8');
  return [...text].slice(0, shownLength).join('');
}

function textOr<Fallback>(fallback: Fallback, value: unknown): string | Fallback {
  return typeof value === 'string' ? value : fallback;
}

/** A dead letter as the contract shows it. */
export function toProto(letter: Omit<DeadLetter, 'content' | 'headers'>): DeadLetterMessage {
  return {
    id: letter._id,
    queue: letter.queue ?? '',
    exchange: letter.exchange,
    routing_key: letter.routing_key,
    reason: letter.reason,
    died_at: letter.died_at.toISOString(),
    content: letter.text,
    replayable: letter.replayable,
  };
}

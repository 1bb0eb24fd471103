import type { AnyEvent } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, Schema } from 'mongoose';
import type { Position } from '../streams/item.ts';
import type { Scope } from './scope.ts';

/** A numbered event. Its messages have the numbers from seq on, `count` of them. */
export interface LogEntry {
  /** The event's id: an event is numbered once. */
  _id: string;
  scope: Scope;
  epoch: string;
  seq: number;
  count: number;
  event: AnyEvent;
  expires_at: Date;
}

/** How far a scope has come. The log may be further: it is written first. */
interface HeadRecord {
  _id: Scope;
  epoch: string;
  seq: number;
  used_at: Date;
}

/** Most messages of one event. */
export const mostMessages = 2;

/** How long the place of a scope in which nothing happens is remembered, in seconds: 60 days. Then a new epoch begins. */
const headKeptSeconds = 60 * 86_400;

const text = { type: String, required: true } as const;
const number = { type: Number, required: true } as const;

const entrySchema = new Schema<LogEntry>(
  {
    _id: text,
    scope: text,
    epoch: text,
    seq: number,
    count: number,
    event: { type: Schema.Types.Mixed, required: true } as never,
    expires_at: { type: Date, required: true },
  },
  { versionKey: false, collection: 'log' },
)
  // Two who number at the same time cannot both give a number.
  .index({ scope: 1, epoch: 1, seq: 1 }, { unique: true })
  .index({ expires_at: 1 }, { expireAfterSeconds: 0 });

const headSchema = new Schema<HeadRecord>(
  { _id: text, epoch: text, seq: number, used_at: { type: Date, required: true } },
  { versionKey: false, collection: 'heads' },
).index({ used_at: 1 }, { expireAfterSeconds: headKeptSeconds });

/** The collections of the log. */
export const logModels = (connection: Connection) => ({
  entries: connection.model('LogEntry', entrySchema),
  heads: connection.model('Head', headSchema),
});

/** The numbered events of all scopes, kept for a while and up to a number. */
export class LogStore {
  readonly models: ReturnType<typeof logModels>;
  readonly #keptMs: number;

  /** @param keptSeconds how long events are kept */
  constructor(connection: Connection, keptSeconds: number) {
    this.models = logModels(connection);
    this.#keptMs = keptSeconds * 1_000;
  }

  /** How far a scope has come. Whoever asks first begins its epoch. */
  async head(scope: Scope): Promise<Position> {
    const { epoch, seq } = await this.#headOf(scope);
    const last = await this.lastOf(scope, epoch).lean<LogEntry>();
    return { epoch, seq: Math.max(seq, last ? last.seq + last.count - 1 : 0) };
  }

  /** The latest entry of a scope. */
  lastOf(scope: Scope, epoch: string) {
    return this.models.entries.findOne({ scope, epoch }, { seq: 1, count: 1 }).sort({ seq: -1 });
  }

  /** The entries with their first number above one number and up to another, oldest first. */
  between(scope: Scope, epoch: string, above: number, upTo: number, limit: number) {
    return this.models.entries
      .find({ scope, epoch, seq: { $gt: above, $lte: upTo } })
      .sort({ seq: 1 })
      .limit(limit);
  }

  /** Those of the events that are in the log. */
  async known(ids: readonly string[]): Promise<LogEntry[]> {
    return this.models.entries.find({ _id: { $in: ids } }).lean<LogEntry[]>();
  }

  /**
   * Write entries, in order.
   * @returns false when another has numbered one of the events, or given one of the numbers; those before it are written
   */
  async append(entries: readonly Omit<LogEntry, 'expires_at'>[]): Promise<boolean> {
    const expires_at = new Date(Date.now() + this.#keptMs);
    try {
      // By the driver: there is nothing to check or convert in thousands of entries.
      await this.models.entries.collection.insertMany(
        entries.map((entry) => ({ ...entry, expires_at }) as never),
        { ordered: true },
      );
      return true;
    } catch (error) {
      if (isDuplicateKey(error)) return false;
      throw error;
    }
  }

  /** Drop the entries of a scope up to a number. */
  async trim(scope: Scope, epoch: string, upTo: number): Promise<void> {
    await this.models.entries.deleteMany({ scope, epoch, seq: { $lte: upTo } });
  }

  /** Store how far scopes have come. @returns those whose epoch is not the stored one any more */
  async saveHeads(heads: ReadonlyMap<Scope, Position>): Promise<Scope[]> {
    const used_at = new Date();
    const saved = await Promise.all(
      [...heads].map(async ([scope, { epoch, seq }]) => {
        const update = { $max: { seq }, $set: { used_at } };
        const { matchedCount } = await this.models.heads.updateOne({ _id: scope, epoch }, update);
        return matchedCount === 0 ? [scope] : [];
      }),
    );
    return saved.flat();
  }

  /** The stored places of scopes, as far as they are known. */
  async storedHeads(scopes: readonly Scope[]): Promise<Map<Scope, Position>> {
    const heads = await this.models.heads.find({ _id: { $in: scopes } }).lean<HeadRecord[]>();
    return new Map(heads.map(({ _id, epoch, seq }) => [_id, { epoch, seq }]));
  }

  async #headOf(scope: Scope): Promise<HeadRecord> {
    const known = await this.models.heads.findById(scope).lean<HeadRecord>();
    if (known) return known;
    const begin = { $setOnInsert: { epoch: newId(), seq: 0, used_at: new Date() } };
    const options = { upsert: true, returnDocument: 'after' } as const;
    for (;;) {
      try {
        return await this.models.heads.findOneAndUpdate({ _id: scope }, begin, options).lean<HeadRecord>().orFail();
      } catch (error) {
        // Another has begun it in the same moment.
        if (!isDuplicateKey(error)) throw error;
      }
    }
  }
}

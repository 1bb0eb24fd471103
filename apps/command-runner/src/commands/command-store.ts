import { Batches } from '@claude-cli/shared/batches';
import { isDuplicateKey, writeEach } from '@claude-cli/shared/mongo';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type mongo, Schema } from 'mongoose';
import type { Runner } from '../processes/runner.ts';
import type { CommandEnd, CommandRecord, Report } from './command.ts';

const text = { type: String, required: true } as const;
const optionalText = { type: String, default: null } as const;
const optionalNumber = { type: Number, default: null } as const;

const schema = new Schema<CommandRecord>(
  {
    _id: text,
    run_id: text,
    kind: text,
    command: text,
    status: text,
    working_directory: text,
    user_id: text,
    project_id: optionalText,
    task_id: optionalText,
    pid: optionalNumber,
    pid_started: optionalText,
    runner_id: text,
    host: text,
    runner_pid: { type: Number, required: true },
    runner_started: optionalText,
    heartbeat_at: { type: Date, required: true },
    started_at: { type: Date, required: true },
    completed_at: { type: Date, default: null },
    exit_code: optionalNumber,
    duration_ms: optionalNumber,
    cpu_seconds: optionalNumber,
    peak_memory_bytes: optionalNumber,
    output_bytes: { type: Number, default: 0 },
    output_pieces: optionalNumber,
    output_truncated: { type: Boolean, default: false },
    error: optionalText,
    forced: { type: Boolean, default: false },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { versionKey: false, collection: 'commands' },
)
  .index({ user_id: 1, started_at: -1 })
  .index({ started_at: -1 })
  // Running commands are few, bounded by the slots of all runners: one index finds them for every question.
  .index({ status: 1, started_at: -1 })
  .index(...outboxIndex);

/** Commands of a database. */
export const commandModel = (connection: Connection) => connection.model('Command', schema);

/** Ends that come at the same time are stored together, the more so where many commands end. */
const storingEnds = { most: 100, width: 4, pace: { everyMs: 40, burst: 6 } };

/** Which commands are meant: those of one user, or, without one, all. */
export interface Whose {
  user_id?: string;
}

/** Records of commands. */
export class CommandStore {
  readonly model: ReturnType<typeof commandModel>;
  /** For what every run writes: without the work of mongoose. */
  readonly #documents: mongo.Collection<CommandRecord>;
  readonly #ends = new Batches<mongo.AnyBulkWriteOperation, boolean>(async (ends) => {
    const errors = await writeEach(this.#documents, ends);
    return errors.map((error) => (isDuplicateKey(error) ? false : (error ?? true)));
  }, storingEnds);

  constructor(connection: Connection) {
    this.model = commandModel(connection);
    // mongoose wraps the driver's collection and gives it a type of its own.
    this.#documents = this.model.collection as unknown as mongo.Collection<CommandRecord>;
  }

  /** Store a command that is about to start. Answers the record of an earlier attempt that it replaces. */
  async begin(record: CommandRecord): Promise<CommandRecord | null> {
    const options = { upsert: true, returnDocument: 'before' } as const;
    return this.model.findOneAndReplace({ _id: record._id }, record, options).lean<CommandRecord>();
  }

  /** Store the first run of a command. @throws MongoServerError of a duplicate key when it is stored already */
  async add(record: CommandRecord): Promise<void> {
    await this.#documents.insertOne(record);
  }

  /** Store which process it is. */
  async setProcess({ _id, run_id, pid, pid_started }: CommandRecord): Promise<void> {
    await this.#documents.updateOne({ _id, run_id }, { $set: { pid, pid_started } });
  }

  /**
   * Store how a run ended, together with the report of it, and its record where that is not stored yet. False when another
   * attempt has replaced the record.
   */
  finish(record: CommandRecord, end: CommandEnd, report: Report | undefined): Promise<boolean> {
    const { _id, run_id, outbox, ...begun } = record;
    const facts = Object.fromEntries(Object.entries(begun).filter(([name]) => !(name in end))) as Partial<typeof begun>;
    const update = report
      ? { $set: end, $setOnInsert: facts, $addToSet: { outbox: report } }
      : { $set: end, $setOnInsert: { ...facts, outbox } };
    return this.#ends.add({ updateOne: { filter: { _id, run_id } as object, update, upsert: true } });
  }

  /** Close the record of a run whose runner is gone. Null when it is closed already. */
  close(
    lost: CommandRecord,
    end: Pick<CommandEnd, 'status' | 'error' | 'completed_at'>,
    report: Report | undefined,
  ): Promise<CommandRecord | null> {
    const duration_ms = end.completed_at.getTime() - lost.started_at.getTime();
    const push = report ? { $push: { outbox: report } } : {};
    return this.model
      .findOneAndUpdate(
        { _id: lost._id, run_id: lost.run_id, status: 'running' },
        { $set: { ...end, duration_ms }, ...push },
        { returnDocument: 'after' },
      )
      .lean<CommandRecord>();
  }

  /** The record of a command. */
  find(id: string): Promise<CommandRecord | null> {
    return this.model.findById(id).lean<CommandRecord>();
  }

  /** Running commands, newest first. */
  running(whose: Whose, limit: number) {
    return this.model
      .find({ status: 'running', ...whose })
      .sort({ started_at: -1 })
      .limit(limit);
  }

  /** How many run. */
  countRunning(whose: Whose): Promise<number> {
    return this.model.countDocuments({ status: 'running', ...whose });
  }

  /** All commands, newest first. */
  history(whose: Whose, { limit, offset }: { limit: number; offset: number }) {
    // A bound that holds for all makes the index on it usable without a user, too.
    const all = { started_at: { $gt: new Date(0) } };
    return this.model
      .find({ ...all, ...whose })
      .sort({ started_at: -1 })
      .skip(offset)
      .limit(limit);
  }

  /** The newest direct commands that a user started and that nobody had to force, with what ranking them needs. */
  recent(user_id: string, limit: number) {
    return this.model
      .find({ user_id, started_at: { $gt: new Date(0) } }, { command: 1, kind: 1, forced: 1, started_at: 1 })
      .sort({ started_at: -1 })
      .limit(limit);
  }

  /** How many there are. */
  count({ user_id }: Whose): Promise<number> {
    return user_id === undefined ? this.model.estimatedDocumentCount() : this.model.countDocuments({ user_id });
  }

  /** Running commands that other runners started on a host, or of which nothing was heard for long. */
  suspects({ runner_id, host }: Runner, silentSince: Date) {
    const others = { status: 'running', runner_id: { $ne: runner_id } } as const;
    const suspect = { $or: [{ host }, { heartbeat_at: { $lt: silentSince } }] };
    return this.model.find({ ...others, ...suspect }).limit(1000);
  }

  /** Say that the commands of a runner are in good hands. */
  async heartbeat({ runner_id }: Runner): Promise<void> {
    await this.model.updateMany({ status: 'running', runner_id }, { $set: { heartbeat_at: new Date() } });
  }
}

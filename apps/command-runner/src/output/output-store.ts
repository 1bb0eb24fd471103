import type { OutputPiece } from '@claude-cli/shared/events';
import { type Connection, Schema } from 'mongoose';
import type { Batch } from './output-recorder.ts';

/** One stored batch. */
export interface OutputRecord {
  /** `<run_id>:<sequence>`, so that a write that is repeated changes nothing. */
  _id: string;
  run_id: string;
  sequence: number;
  pieces: OutputPiece[];
  bytes: number;
  /** It stands for pieces that are not stored. */
  note?: true;
}

const schema = new Schema<OutputRecord>(
  {
    _id: { type: String, required: true },
    run_id: { type: String, required: true },
    sequence: { type: Number, required: true },
    pieces: { type: Schema.Types.Mixed, required: true },
    bytes: { type: Number, required: true },
    note: { type: Boolean },
  },
  { versionKey: false, collection: 'command_output' },
).index({ run_id: 1, sequence: 1 });

/** Output of a database. */
export const outputModel = (connection: Connection) => connection.model('CommandOutput', schema);

/** What commands wrote, by run. */
export class OutputStore {
  readonly model: ReturnType<typeof outputModel>;

  constructor(connection: Connection) {
    this.model = outputModel(connection);
  }

  /** Keep a batch; in place of what was stored under its sequence. */
  async put(runId: string, batch: Batch): Promise<void> {
    const _id = `${runId}:${String(batch.sequence).padStart(9, '0')}`;
    await this.model.replaceOne({ _id }, { _id, run_id: runId, ...batch }, { upsert: true });
  }

  /** Everything of a run, in order. */
  async piecesOf(runId: string): Promise<OutputPiece[]> {
    const batches = await this.model.find({ run_id: runId }).sort({ sequence: 1 }).lean();
    return batches.flatMap((batch) => batch.pieces);
  }

  /** The batches of a run from the one on that has a piece, in order. */
  async *from(runId: string, piece: number): AsyncGenerator<OutputRecord> {
    const first = await this.model
      .findOne({ run_id: runId, sequence: { $lte: piece } }, { sequence: 1 })
      .sort({ sequence: -1 })
      .lean();
    const following = { run_id: runId, sequence: { $gte: first?.sequence ?? 0 } };
    yield* this.model.find(following).sort({ sequence: 1 }).lean<OutputRecord[]>().cursor({ batchSize: 50 });
  }

  /** Number of the last piece that is stored of a run; 0 when none is. */
  async lastPiece(runId: string): Promise<number> {
    const last = await this.model.findOne({ run_id: runId }).sort({ sequence: -1 }).lean();
    return last ? last.sequence + last.pieces.length - 1 : 0;
  }

  /** Drop the batches from one sequence to another, both included. */
  async drop(runId: string, from: number, to: number): Promise<void> {
    await this.model.deleteMany({ run_id: runId, sequence: { $gte: from, $lte: to } });
  }

  /** Drop everything of runs. */
  async dropRuns(runIds: readonly string[]): Promise<void> {
    await this.model.deleteMany({ run_id: { $in: [...runIds] } });
  }

  /** Drop everything of a run. */
  async dropRun(runId: string): Promise<void> {
    await this.model.deleteMany({ run_id: runId });
  }
}

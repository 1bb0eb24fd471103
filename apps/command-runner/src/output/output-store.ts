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
}

const schema = new Schema<OutputRecord>(
  {
    _id: { type: String, required: true },
    run_id: { type: String, required: true },
    sequence: { type: Number, required: true },
    pieces: { type: Schema.Types.Mixed, required: true },
    bytes: { type: Number, required: true },
  },
  { versionKey: false, collection: 'command_output' },
).index({ run_id: 1, sequence: 1 });

const compile = (connection: Connection) => connection.model('CommandOutput', schema);

/** What commands wrote, by run. */
export class OutputStore {
  readonly model: ReturnType<typeof compile>;

  constructor(connection: Connection) {
    this.model = compile(connection);
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

  /** Drop the batches from one sequence to another, both included. */
  async drop(runId: string, from: number, to: number): Promise<void> {
    await this.model.deleteMany({ run_id: runId, sequence: { $gte: from, $lte: to } });
  }

  /** Drop everything of a run. */
  async dropRun(runId: string): Promise<void> {
    await this.model.deleteMany({ run_id: runId });
  }
}

import { Schema } from 'mongoose';
import type { Aggregate } from '../guarded-update.ts';
import { type OutboxEntry, outboxIndex } from '../outbox.ts';

/** The smallest aggregate there is. */
export interface Counter extends Aggregate<OutboxEntry> {
  value: number;
}

/** How counters are stored. */
export const counterSchema = new Schema<Counter>(
  {
    _id: { type: String, required: true },
    value: Number,
    version: Number,
    updated_at: Date,
    deleted_at: { type: Date, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { versionKey: false },
);
counterSchema.index(...outboxIndex);

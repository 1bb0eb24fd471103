import type { QueueState as QueueStateMessage } from '@claude-cli/proto/platform/v1/queues';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Aggregate } from '@claude-cli/shared/guarded-update';
import { isDuplicateKey } from '@claude-cli/shared/mongo';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';
import { nameOf } from './queue-name.ts';

// A queue is active or paused. There is one document per priority, made at the first start, never deleted.
//
// A pause must hold from the moment it is answered, although a claim that read "active" just before may not have written
// yet. So each pause leaves its version as a fence on everything that waits, before it is answered, and a claim takes an
// execution only if its fence is not newer than the state that the claim has read. Nothing has to be removed afterwards:
// claims after the next resume read a newer version.
//
// Claims may go by a state that was read up to `openForMs` ago, if it lets executions start. A pause waits longer than that
// before it leaves its fence: then whoever still goes by an older state found its execution before, so it is fenced off, and
// what is queued afterwards is found only by those who see the pause.

/** For how long claims take a queue to be open that was read to be so, in milliseconds. */
export const openForMs = 100;

/** Whether a queue lets executions start. */
export interface QueueState extends Aggregate<AnyEvent> {
  _id: Priority;
  paused: boolean;
  reason: string | null;
  paused_at: Date | null;
  paused_by: string | null;
  resumed_at: Date | null;
}

/** States of all queues. */
export type QueueStateModel = Model<QueueState>;

const schema = new Schema<QueueState>(
  {
    _id: { type: String, required: true },
    paused: { type: Boolean, required: true },
    reason: { type: String, default: null },
    paused_at: { type: Date, default: null },
    paused_by: { type: String, default: null },
    resumed_at: { type: Date, default: null },
    version: { type: Number, required: true },
    updated_at: { type: Date, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'queue_states', versionKey: false },
);
schema.index(...outboxIndex);

/** States of a database. */
export function queueStateModel(connection: Connection): QueueStateModel {
  return connection.model<QueueState>('QueueState', schema);
}

/** The states of a database. Resolves when each queue has one. */
export async function openQueueStates(connection: Connection): Promise<QueueStateModel> {
  const states = queueStateModel(connection);
  const first = { paused: false, version: 1, updated_at: new Date() };
  for (const _id of priorities) {
    // Of several replicas that start at once, one makes it.
    await states.updateOne({ _id }, { $setOnInsert: first }, { upsert: true }).catch((error) => {
      if (!isDuplicateKey(error)) throw error;
    });
  }
  return states;
}

/** The error for a queue whose state was removed from the database. */
export function queueNotFound(priority: Priority): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'The queue does not exist', { queue_name: nameOf(priority) });
}

/** A queue's state as the contract shows it. */
export function toProto({ _id, paused, reason, paused_at, paused_by, resumed_at }: QueueState): QueueStateMessage {
  return {
    queue_name: nameOf(_id),
    status: paused ? 'paused' : 'active',
    reason: reason ?? undefined,
    paused_at: paused_at?.toISOString(),
    paused_by: paused_by ?? undefined,
    resumed_at: resumed_at?.toISOString(),
  };
}

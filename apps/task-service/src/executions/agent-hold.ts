import { ignoreDuplicateKey } from '@claude-cli/shared/mongo';
import { type Connection, type Model, Schema } from 'mongoose';
import type { Context } from '../context.ts';

// The runner that meets the rate limit of the agent's account says so with each question, and with the report of the run that
// met it. That is stored, so that it outlives runners and this service: whoever asks until then is given no work of the agent.
// The runner that said it ends it early by asking for such work again.

/** How long agent work is held when nobody knows until when, and at most, in milliseconds. */
const holds = { unknownMs: 30_000, mostMs: 8 * 24 * 3_600_000 };

/** Until when no work of the agent is given to anybody. There is one at most. */
export interface AgentHold {
  _id: 'agent';
  until: Date;
  /** Who said so last. */
  runner_id: string;
}

/** Where the hold is. */
export type AgentHoldModel = Model<AgentHold>;

const schema = new Schema<AgentHold>(
  {
    _id: { type: String, required: true },
    until: { type: Date, required: true },
    runner_id: { type: String, required: true },
  },
  { collection: 'agent_holds', versionKey: false },
);

/** The hold of a database. */
export function agentHoldModel(connection: Connection): AgentHoldModel {
  return connection.model<AgentHold>('AgentHold', schema);
}

/** Hold work of the agent. @param until when the limit is over, where that is known @returns until when it is held */
export async function noteHold({ agentHolds }: Context, runner_id: string, until: Date | undefined): Promise<Date> {
  const now = Date.now();
  const over = until?.getTime() ?? now + holds.unknownMs;
  const held = new Date(Math.min(Math.max(over, now), now + holds.mostMs));
  await agentHolds
    .updateOne({ _id: 'agent' }, { $max: { until: held }, $set: { runner_id } }, { upsert: true })
    .catch(ignoreDuplicateKey);
  return held;
}

/** Until when work of the agent is held from a runner that would take it; undefined when it is not. */
export async function heldFrom({ agentHolds }: Context, runner_id: string): Promise<Date | undefined> {
  const hold = await agentHolds.findById('agent').lean();
  if (!hold || hold.until.getTime() <= Date.now()) return undefined;
  if (hold.runner_id !== runner_id) return hold.until;
  await agentHolds.deleteOne({ _id: 'agent', runner_id, until: hold.until });
  return undefined;
}

/** Let executions of the agent wait so long. They are no longer in the order of their priority, so that shell work goes on. */
export async function holdAgents({ executions }: Context, ids: string[], due_at: Date): Promise<void> {
  await executions.updateMany(
    { _id: { $in: ids }, status: 'queued', waiting_for: 'turn' },
    { $set: { waiting_for: 'agent_rate_limit', due_at } },
  );
}

import type { Context } from '../context.ts';
import { keepSums, type Measure, settledSums } from './settled-sum.ts';

/** Millionths of a dollar: what is finer in a sum comes from adding fractions. */
const finest = 1e6;

// The index holds only executions in which the agent ran, and is used because this says the same as its filter.
const agent: Measure<'runs' | 'cost_usd'> = {
  kept: 'agent',
  of: { agent_runs: { $gt: 0 } },
  sums: { runs: '$agent_runs', cost_usd: '$agent_cost_usd' },
};

/** Keep what the agent cost in executions that ended up to a moment, so that they may be dropped. */
export async function keepAgentUse(ctx: Context, project_id: string, until: Date): Promise<void> {
  await keepSums(ctx, project_id, agent, until);
}

/** How often the agent ran in a project's executions that ended, and what it cost in dollars. */
export async function agentUse(
  ctx: Context,
  project_id: string,
  now?: Date,
): Promise<{ agent_runs: number; agent_cost_usd: number }> {
  const { runs, cost_usd } = await settledSums(ctx, project_id, agent, now);
  return { agent_runs: runs, agent_cost_usd: Math.round(cost_usd * finest) / finest };
}

import type { AgentOptions } from '@claude-cli/proto/platform/v1/executions';
import type { AgentSettings } from '@claude-cli/proto/platform/v1/projects';
import type { Context } from '../context.ts';
import type { Ending } from './end-execution.ts';
import type { Execution } from './execution.ts';

/** Runs of a task among which its latest conversation is looked for, and conversations of which one is tried after the other. */
const most = { runs: 20, conversations: 3 };
/** The CLI's ids; none can be taken for an option. */
const conversationId = /^\w[\w-]{0,127}$/;

/** How the agent is to work on an execution, by what was asked for and by the settings of its project. */
export function agentOptions(
  { resume, conversations = [] }: Pick<Execution, 'resume' | 'conversations'>,
  settings: AgentSettings | undefined,
): AgentOptions {
  const notes = (settings?.ignored ?? []).map((reason) => `a setting of the project is ignored: ${reason}`);
  if (resume && conversations.length === 0) notes.push('there is no conversation to go on with, a new one is begun');
  return { settings, resume_session_id: conversations[0], notes };
}

/**
 * The conversations with which a new run of a task may go on, the best first. Those of the latest run that had one: its own,
 * and, as some versions of the CLI name one that they never store, the one with which that run went on itself.
 */
export async function conversationsOf({ executions }: Context, task_id: string): Promise<string[]> {
  const runs = await executions
    .find({ task_id }, { 'result.session_id': 1, 'result.resumed_session_id': 1 })
    .sort({ queued_at: -1 })
    .limit(most.runs)
    .lean<Pick<Execution, 'result'>[]>();
  for (const { result } of runs) {
    const ids = withoutWrong([result?.session_id, result?.resumed_session_id]);
    if (ids.length > 0) return ids;
  }
  return [];
}

/**
 * What changes in the conversations with which the next attempt of an execution may go on. One that is gone is tried no more;
 * one that was interrupted by a limit goes on, as its work is not done; what has failed is tried again from where it began.
 */
export function conversationsAfter(
  { conversations = [] }: Pick<Execution, 'conversations'>,
  { result, retry_at }: Pick<Ending, 'result' | 'retry_at'>,
): Pick<Execution, 'conversations'> {
  if (result?.conversation_is_gone === true) return { conversations: conversations.slice(1) };
  if (!result || typeof retry_at !== 'string') return {};
  return { conversations: withoutWrong([result.session_id, ...conversations]) };
}

/** What a run adds to the use of the agent, when the agent ran. */
export function agentUseIn({ result }: Pick<Ending, 'result'>): { agent_runs?: number; agent_cost_usd?: number } {
  if (!result) return {};
  const { cost_usd } = result;
  const isAmount = typeof cost_usd === 'number' && Number.isFinite(cost_usd) && cost_usd > 0;
  return { agent_runs: 1, agent_cost_usd: isAmount ? cost_usd : 0 };
}

function withoutWrong(ids: unknown[]): string[] {
  const right = ids.filter((id): id is string => typeof id === 'string' && conversationId.test(id));
  return [...new Set(right)].slice(0, most.conversations);
}

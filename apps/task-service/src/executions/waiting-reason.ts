import type { WaitingReason } from '@claude-cli/proto/platform/v1/tasks';
import type { Execution } from './execution.ts';

/** What decides why a queued execution waits. */
export interface WaitingFacts {
  execution: Pick<Execution, 'waiting_for' | 'due_at' | 'waits_on' | 'attempt' | 'error'>;
  /** Whether its queue is paused, and why. */
  queue: { paused: boolean; reason: string | null };
  /** Slots of all runners that are there, and how many are taken. */
  workers: { slots: number; running: number };
}

/** Why an execution waits: of several reasons the one that has to go first. */
export function waitingReason({ execution, queue, workers }: WaitingFacts): WaitingReason {
  const { waiting_for, due_at, waits_on = [] } = execution;
  const until = due_at?.toISOString();
  const because = (code: WaitingReason['code'], message: string, more: Partial<WaitingReason> = {}) => ({
    code,
    message,
    task_ids: [],
    ...more,
  });
  if (queue.paused) return because('queue_paused', `The queue is paused${queue.reason ? `: ${queue.reason}` : ''}`);
  switch (waiting_for) {
    case 'dependency': {
      const tasks = waits_on.length === 1 ? 'A task' : `${waits_on.length} tasks`;
      return because('dependency', `${tasks} that it depends on must be completed first`, { task_ids: waits_on });
    }
    case 'backoff':
      return because('backoff', `Attempt ${execution.attempt} comes after a pause, because the one before failed`, {
        until,
      });
    case 'project_limit':
      return because('project_limit', 'The project runs as many tasks at once as it may');
    case 'agent_rate_limit':
      return because('agent_rate_limit', 'The agent has reached its rate limit', { until });
  }
  if (workers.slots === 0) return because('no_worker', 'No worker is there');
  if (workers.running >= workers.slots) return because('no_free_worker', 'All workers are busy');
  return because('next_in_line', 'It is about to be taken by a worker');
}

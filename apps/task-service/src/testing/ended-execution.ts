import { newId } from '@claude-cli/shared/ids';

/** An execution that was completed at its first attempt, as it is stored. */
export function endedExecution(project_id: string, finished_at: Date, output_bytes: number) {
  return {
    ...{ _id: newId(), task_id: newId(), project_id, requested_by: 'u', status: 'completed' as const },
    ...{
      priority: 'normal' as const,
      rank: 1,
      run_number: 1,
      attempt: 1,
      max_attempts: 1,
      timeout_ms: 1,
      generation: 1,
    },
    ...{ queued_at: finished_at, finished_at, output_bytes },
  };
}

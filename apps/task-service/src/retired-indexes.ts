import type { RetiredIndexes } from '@claude-cli/shared/migrations/retired-indexes';

// Still asked by the version before this one, so that the next one drops them: of tasks, those that begin with
// { assigned_to: 1, deleted_at: 1, status: 1 }, and { project_id: 1, deleted_at: 1, status: 1, actual_duration_ms: 1, completed_at: 1 };
// of executions, { status: 1, rank: 1, queued_at: 1 }, { status: 1, waiting_for: 1, due_at: 1 }, { status: 1, 'lease.expires_at': 1 }
// and { project_id: 1, status: 1, waiting_for: 1, rank: 1, fair_at: 1 }.

/** Indexes that earlier versions made and nothing asks any more: each costs every write something. */
export const retiredIndexes: RetiredIndexes = {
  tasks: [
    { project_id: 1, deleted_at: 1, updated_at: -1, _id: -1 },
    { project_id: 1, deleted_at: 1, priority: -1, _id: -1 },
    { project_id: 1, deleted_at: 1, title: -1, _id: -1 },
    { deleted_at: 1, created_at: -1, _id: -1 },
    { deleted_at: 1, updated_at: -1, _id: -1 },
    { deleted_at: 1, priority: -1, _id: -1 },
    { deleted_at: 1, title: -1, _id: -1 },
    { assigned_to: 1, deleted_at: 1, status: 1 },
    { tags: 1, deleted_at: 1 },
    { terms: 1, deleted_at: 1 },
  ],
  executions: [
    { status: 1, rank: 1, due_at: 1 },
    { project_id: 1, status: 1, deferred: 1, rank: 1, queued_at: 1 },
    { queued_at: 1 },
    { status: 1, due_at: 1 },
    { status: 1, finished_at: -1 },
  ],
  project_slots: [{ 'holders.0': 1 }],
};

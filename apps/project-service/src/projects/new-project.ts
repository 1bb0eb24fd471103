import { newId } from '@claude-cli/shared/ids';
import type { Project } from './project.ts';
import { searchableOf } from './searchable.ts';

/** A project that is made now, with its maker as the only owner; nothing is stored or told yet. */
export function newProject(
  made: Pick<Project, 'name' | 'description' | 'settings' | 'resource_limits' | 'created_by'> & { _id?: string },
): Project {
  const now = new Date();
  return {
    _id: newId(),
    ...made,
    status: 'active',
    created_at: now,
    updated_at: now,
    members: [{ user_id: made.created_by, role: 'owner' }],
    ...searchableOf(made),
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [],
  };
}

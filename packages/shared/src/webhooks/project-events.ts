import { z } from 'zod';
import type { PlatformEvent } from '../events.ts';
import { deliverable, fieldNames, id, ids, namesOf } from './deliverable.ts';

const project = z.object({
  project_id: id.nullable(),
  name: z.string(),
  status: z.enum(['active', 'archived', 'completed']),
});

function projectOf({ project_id, data }: PlatformEvent<'project.created' | 'project.updated' | 'project.deleted'>) {
  return { project_id, name: data.name, status: data.status };
}

const { project_id } = ids;
const aProject = { project_id, name: 'E-commerce Platform', status: 'active' } as const;

/** Events of projects. */
export const projectEvents = {
  'project.created': deliverable('project.created', {
    description: 'Project was created',
    data: project,
    dataOf: projectOf,
    example: aProject,
  }),
  'project.updated': deliverable('project.updated', {
    description: 'Project was updated',
    data: project.extend({ changed_fields: fieldNames }),
    dataOf: (event) => ({ ...projectOf(event), changed_fields: namesOf(event.data.changes) }),
    example: { ...aProject, changed_fields: ['name'] },
  }),
  'project.deleted': deliverable('project.deleted', {
    description: 'Project was deleted',
    data: project,
    dataOf: projectOf,
    example: aProject,
  }),
} as const;

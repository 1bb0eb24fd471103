import type { AnyEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import { type Decision, guardedUpdate } from '@claude-cli/shared/guarded-update';
import type { Context } from '../context.ts';
import { requireRoom } from '../outbox-room.ts';
import { type Project, projectNotFound } from './project.ts';

/**
 * Change a project as it is when the change is written, and tell it.
 * @param decide as for guardedUpdate
 * @returns the project after the change
 * @throws PlatformError PROJECT_NOT_FOUND, or what decide throws
 */
export async function changeProject(
  ctx: Context,
  project_id: string,
  decide: (project: Project) => Decision<Project, AnyEvent> | undefined,
): Promise<Project> {
  const notFound = () => projectNotFound(project_id);
  const { document, changed } = await guardedUpdate(ctx.projects, project_id, notFound, (project) => {
    const decision = decide(project);
    if (decision) requireRoom(project);
    return decision;
  });
  if (changed) void ctx.projectOutbox.flush(document);
  return document;
}

/** What the event of the next change of a project carries in its envelope. */
export function aboutChange({ _id, version }: Pick<Project, '_id' | 'version'>, { caller }: Call) {
  const { user_id, session_id } = caller;
  return { actor: user_id, project_id: _id, version: version + 1, session_id };
}

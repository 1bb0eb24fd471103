import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { aboutChange, changeProject } from './change-project.ts';
import { factsOf, type Member, type Project, refuseArchived, roleIn } from './project.ts';

/** A change of one member: null stands for being none. */
export interface MemberChange {
  before: Member | null;
  after: Member | null;
  /** All members after the change. */
  members: Member[];
}

/**
 * Change the members of a project that is not archived. The event tells of the member concerned, before and after.
 * @param decide what changes; undefined for nothing; throws to refuse
 */
export async function changeMembers(
  ctx: Context,
  project_id: string,
  call: Call,
  decide: (project: Project) => MemberChange | undefined,
): Promise<void> {
  await changeProject(ctx, project_id, (project) => {
    // Whoever has no part in the project does not learn whether it is archived.
    roleIn(project, call.caller);
    refuseArchived(project);
    const change = decide(project);
    if (!change) return undefined;
    const { members, before, after } = change;
    const changes = [{ field: 'members', old_value: before, new_value: after }];
    const facts = { ...factsOf({ ...project, members }), changes };
    return { set: { members }, events: [newEvent('project.updated', aboutChange(project, call), facts)] };
  });
}

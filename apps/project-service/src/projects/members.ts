import { PlatformError } from '@claude-cli/shared/errors';
import type { Member, Project } from './project.ts';

/** Users that may have a role in one project. */
export const maxMembers = 1_000;

type WithMembers = Pick<Project, '_id' | 'members'>;

/** The members with one more. @throws PlatformError RESOURCE_ALREADY_EXISTS, RESOURCE_LIMIT_EXCEEDED */
export function withMember({ members }: WithMembers, added: Member): Member[] {
  const { user_id } = added;
  if (members.some((member) => member.user_id === user_id)) {
    throw new PlatformError('RESOURCE_ALREADY_EXISTS', 'The user is a member of the project already', { user_id });
  }
  if (members.length >= maxMembers) {
    throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', 'The project has as many members as it may', {
      limit: maxMembers,
    });
  }
  return [...members, added];
}

/** The members with another role for one of them. @throws PlatformError RESOURCE_CONFLICT for the last owner */
export function withRole(project: WithMembers, changed: Member): Member[] {
  if (changed.role !== 'owner') refuseLastOwner(project, changed.user_id);
  return project.members.map((member) => (member.user_id === changed.user_id ? changed : member));
}

/** The members without one of them. @throws PlatformError RESOURCE_CONFLICT for the last owner */
export function withoutMember(project: WithMembers, user_id: string): Member[] {
  refuseLastOwner(project, user_id);
  return project.members.filter((member) => member.user_id !== user_id);
}

/** A user's entry among the members. @throws PlatformError RESOURCE_NOT_FOUND when there is none */
export function memberOf({ _id: project_id, members }: WithMembers, user_id: string): Member {
  const member = members.find((each) => each.user_id === user_id);
  if (member) return member;
  throw new PlatformError('RESOURCE_NOT_FOUND', 'The user is no member of the project', { project_id, user_id });
}

/** A project without an owner could be managed by nobody in it. */
function refuseLastOwner({ members }: WithMembers, user_id: string): void {
  const owners = members.filter(({ role }) => role === 'owner');
  if (owners.length > 1 || owners[0]?.user_id !== user_id) return;
  throw new PlatformError('RESOURCE_CONFLICT', 'The last owner of a project stays its owner', { user_id });
}

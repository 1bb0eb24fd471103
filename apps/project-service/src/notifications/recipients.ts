import type { Notification_Kind } from '@claude-cli/proto/platform/v1/notifications';
import type { Context } from '../context.ts';
import type { TaskEnd } from './content.ts';
import { type Relation, wantsKind, wantsTask } from './wanted.ts';

/** Whom the end of a task concerns, and how. Who ended it by hand or cancelled it knows already. */
export function relationsIn({ type, actor, data: { people, execution_id } }: TaskEnd): Map<string, Relation[]> {
  const relations = new Map<string, Relation[]>();
  const knows = execution_id === null || type === 'task.cancelled' ? actor : null;
  const add = (user_id: string | null | undefined, relation: Relation) => {
    if (user_id && user_id !== knows) relations.set(user_id, [...(relations.get(user_id) ?? []), relation]);
  };
  add(people?.created_by, 'created');
  add(people?.assigned_to, 'assigned');
  add(people?.requested_by, 'executed');
  return relations;
}

/**
 * The users who are told how a task ended: whom it concerns, who may still see its project, and who want it. A project whose
 * settings say `notifications: false` tells nobody.
 */
export async function recipientsOfTask(ctx: Context, event: TaskEnd, kind: Notification_Kind): Promise<string[]> {
  const relations = relationsIn(event);
  if (relations.size === 0 || event.project_id === null) return [];
  const { project_id } = event;
  const { project, users } = await ctx.concerned.add({ project_id, user_ids: [...relations.keys()] });
  if (!project || project.settings?.notifications === false) return [];
  const members = new Set(project.members.map(({ user_id }) => user_id));
  return users
    .filter(({ _id, role }) => role === 'admin' || members.has(_id))
    .filter(({ _id, preferences }) => wantsTask(preferences, kind, relations.get(_id) ?? []))
    .map(({ _id }) => _id);
}

/** The user, unless the account is disabled or does not want this kind. */
export async function recipientIfWanted(ctx: Context, user_id: string, kind: Notification_Kind): Promise<string[]> {
  const { users } = await ctx.concerned.add({ user_ids: [user_id] });
  return users.some(({ preferences }) => wantsKind(preferences, kind)) ? [user_id] : [];
}

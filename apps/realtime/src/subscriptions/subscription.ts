import { invalidField } from '@claude-cli/shared/errors';
import { type AnyEvent, eventPattern } from '@claude-cli/shared/events';

/** What a client can listen to. */
export const channels = ['task_updates', 'project_updates', 'command_output'] as const;

/** A channel. */
export type Channel = (typeof channels)[number];

/** By what a channel can be narrowed, in the order in which fields are looked at. */
const targetFields = {
  task_updates: ['project_id', 'task_id'],
  project_updates: ['project_id'],
  command_output: ['command_id', 'task_id', 'project_id'],
} as const satisfies Record<Channel, readonly string[]>;

/** Field that names what a subscription is about. */
export type TargetField = (typeof targetFields)[Channel][number];

/** What a subscription is about. */
export interface Target {
  channel: Channel;
  field: TargetField;
  id: string;
}

/** A target whose project is known. */
export interface Subscription extends Target {
  /** Null for a direct command, which belongs to nobody but its user. */
  projectId: string | null;
  /** Made by the service for a task that the client executed; gives way to others when there are too many. */
  automatic: boolean;
}

/** The fields of a request that say what it is about. */
export type TargetRequest = { channel: Channel } & { [Field in TargetField]?: string | undefined };

/** What a request is about. @throws PlatformError VALIDATION_* unless exactly one field that fits the channel is given */
export function targetOf(request: TargetRequest): Target {
  const { channel } = request;
  const allowed: readonly TargetField[] = targetFields[channel];
  const given = (['project_id', 'task_id', 'command_id'] as const).filter((field) => request[field] !== undefined);
  const [field, second] = given;
  if (field === undefined) {
    const issue = allowed.length === 1 ? 'is required' : `is required: one of ${allowed.join(', ')}`;
    throw invalidField(allowed[0] ?? 'project_id', issue, 'VALIDATION_REQUIRED_FIELD');
  }
  if (second !== undefined) throw invalidField(second, `cannot be combined with ${field}`);
  if (!allowed.includes(field)) throw invalidField(field, `is not possible with channel ${channel}`);
  return { channel, field, id: (request[field] as string).toLowerCase() };
}

/** Name of what a subscription hears: equal for equal targets. */
export function topicOf({ channel, field, id }: Target): string {
  return `${channel} ${field} ${id}`;
}

/** What a client is told about a subscription. */
export function describe({ channel, field, id }: Target): Record<string, string> {
  return { channel, [field]: id };
}

/** The topics that hear an event. */
export function topicsOf(event: AnyEvent): string[] {
  const { type, project_id, data } = event;
  const about = (channel: Channel, field: TargetField, id: string | null) =>
    id === null ? [] : [topicOf({ channel, field, id })];
  if (type.startsWith('project.')) return about('project_updates', 'project_id', project_id);
  if ('task_id' in data && (type.startsWith('task.') || type === 'command.output')) {
    const topics = [
      ...about('task_updates', 'project_id', project_id),
      ...about('task_updates', 'task_id', data.task_id),
      ...about('project_updates', 'project_id', project_id),
    ];
    if (type !== 'command.output') return topics;
    topics.push(
      ...about('command_output', 'project_id', project_id),
      ...about('command_output', 'task_id', data.task_id),
      ...about('command_output', 'command_id', data.command_id),
    );
    return topics;
  }
  return [];
}

/** What the broker must send for a subscription. Events of the project come along: they tell when access is lost. */
export function patternsOf({ channel, field, id, projectId }: Subscription): string[] {
  const output = eventPattern('command.output', projectId);
  // Only this command: those without a project share one place in the routing keys.
  if (field === 'command_id') return [output.replace(/#$/, id), ...accessPatterns(projectId)];
  if (channel === 'command_output') return [output, ...accessPatterns(projectId)];
  return [eventPattern('task', projectId), output, ...accessPatterns(projectId)];
}

function accessPatterns(projectId: string | null): string[] {
  return projectId === null ? [] : [eventPattern('project', projectId)];
}

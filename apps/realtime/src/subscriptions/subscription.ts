import { invalidField } from '@claude-cli/shared/errors';
import { eventPattern } from '@claude-cli/shared/event-routing';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Scope } from '../log/scope.ts';
import { type Binding, onEvents, onLive } from './binding.ts';

/** Channels that tell how something is, instead of what happens. */
const stateChannels = ['queue_status', 'performance_data'] as const;

/** What a client can listen to. */
export const channels = [
  'task_updates',
  'project_updates',
  'command_output',
  'notifications',
  ...stateChannels,
] as const;

/** A channel. */
export type Channel = (typeof channels)[number];

/** By what a channel can be narrowed, in the order in which fields are looked at. */
const targetFields = {
  task_updates: ['project_id', 'task_id'],
  project_updates: ['project_id'],
  command_output: ['command_id', 'task_id', 'project_id'],
  notifications: [],
  queue_status: ['queue_name'],
  performance_data: ['interval'],
} as const satisfies Record<Channel, readonly string[]>;

/** Field of a request that names what a subscription is about. */
export type TargetField = (typeof targetFields)[Channel][number];

/** What a subscription is about. */
export interface Target {
  channel: Channel;
  /** Users are not named in requests: everybody hears what concerns themselves. */
  field: TargetField | 'user_id';
  id: string;
}

/** Whether a target is how something is: it has no history, and belongs to no project. */
export function isState({ channel }: Pick<Target, 'channel'>): boolean {
  return (stateChannels as readonly string[]).includes(channel);
}

/** A target whose project is known. */
export interface Subscription extends Target {
  /** Null for what belongs to no project: a direct command, which belongs to nobody but its user, and notifications. */
  projectId: string | null;
  /** Made by the service for a task that the client executed; gives way to others when there are too many. */
  automatic: boolean;
}

/** Stands for all users. */
const everybody = 'everybody';
/** Stands for all queues. */
export const allQueues = 'all';
/** Seconds between measurements, unless a request says otherwise. */
const usualInterval = 5;

/** The fields of a request that say what it is about. */
export type TargetRequest = { channel: Channel; interval?: number | undefined } & {
  [Field in Exclude<TargetField, 'interval'>]?: string | undefined;
};

const requestFields = ['project_id', 'task_id', 'command_id', 'queue_name', 'interval'] as const;

/**
 * What a request is about: one target, or several that are heard as one.
 * @throws PlatformError VALIDATION_* unless exactly one field that fits the channel is given
 */
export function targetsOf(request: TargetRequest, userId: string): [Target, ...Target[]] {
  const { channel } = request;
  const allowed: readonly TargetField[] = targetFields[channel];
  const given = requestFields.filter((field) => request[field] !== undefined);
  const [field, second] = given;
  if (field === undefined) {
    const [first] = allowed;
    if (first === undefined) return [userId, everybody].map((id) => ({ channel, field: 'user_id', id })) as [Target];
    if (first === 'queue_name') return [{ channel, field: first, id: allQueues }];
    if (first === 'interval') return [{ channel, field: first, id: String(usualInterval) }];
    const issue = allowed.length === 1 ? 'is required' : `is required: one of ${allowed.join(', ')}`;
    throw invalidField(first, issue, 'VALIDATION_REQUIRED_FIELD');
  }
  if (second !== undefined) throw invalidField(second, `cannot be combined with ${field}`);
  if (!allowed.includes(field)) throw invalidField(field, `is not possible with channel ${channel}`);
  return [{ channel, field, id: String(request[field]).toLowerCase() }];
}

/** Name of what a subscription hears: equal for equal targets. */
export function topicOf({ channel, field, id }: Target): string {
  return `${channel} ${field} ${id}`;
}

/** What a client is told about a subscription. */
export function describe({ channel, field, id }: Target): Record<string, string | number> {
  if (field === 'interval') return { channel, interval: Number(id) };
  if (field === 'queue_name' && id === allQueues) return { channel };
  return field === 'user_id' ? { channel } : { channel, [field]: id };
}

/** The topics that hear an event. */
export function topicsOf(event: AnyEvent): string[] {
  const { type, project_id, data } = event;
  const about = (channel: Channel, field: Target['field'], id: string | null) =>
    id === null ? [] : [topicOf({ channel, field, id })];
  if (type.startsWith('project.')) return about('project_updates', 'project_id', project_id);
  if (type.startsWith('notification.')) {
    return about('notifications', 'user_id', ('user_id' in data && data.user_id) || everybody);
  }
  if ('task_id' in data && type.startsWith('task.')) return taskTopics(project_id, data.task_id);
  if (type !== 'command.output') return [];
  const { task_id, command_id, end } = event.data;
  return [
    // The end of a command is told to those who listen to commands; the others hear of its task.
    ...(end ? [] : taskTopics(project_id, task_id)),
    ...about('command_output', 'project_id', project_id),
    ...about('command_output', 'task_id', task_id),
    ...about('command_output', 'command_id', command_id),
  ];
}

function taskTopics(projectId: string | null, taskId: string | null): string[] {
  const targets: Target[] = [];
  if (projectId !== null) targets.push({ channel: 'task_updates', field: 'project_id', id: projectId });
  if (taskId !== null) targets.push({ channel: 'task_updates', field: 'task_id', id: taskId });
  if (projectId !== null) targets.push({ channel: 'project_updates', field: 'project_id', id: projectId });
  return targets.map(topicOf);
}

/** The stream that a subscription follows: a scope, or a command; undefined for output of more than one command. */
export function streamOf({ channel, field, id, projectId }: Subscription): Scope | `command:${string}` | undefined {
  if (isState({ channel })) return undefined;
  if (channel === 'notifications') return id === everybody ? 'system' : `user:${id}`;
  if (channel === 'command_output') return field === 'command_id' ? `command:${id}` : undefined;
  return projectId === null ? undefined : `project:${projectId}`;
}

/** What the broker must send for a subscription. What happens in the project comes along: it tells when access is lost. */
export function bindingsOf(subscription: Subscription): Binding[] {
  const { channel, field, id, projectId } = subscription;
  if (isState(subscription)) return [];
  if (channel === 'notifications') return [onLive(id === everybody ? 'system' : `user:${id}`)];
  const output = eventPattern('command.output', projectId);
  // Only this command: those without a project share one place in the routing keys.
  const wanted = field === 'command_id' ? output.replace(/#$/, id) : output;
  return [onEvents(wanted), ...(projectId === null ? [] : [onLive(`project:${projectId}`)])];
}

/** Whether a subscription hears the output of commands that it does not name. */
export function hearsOutputOfMany({ channel, field }: Target): boolean {
  return channel !== 'notifications' && field !== 'command_id' && !isState({ channel });
}

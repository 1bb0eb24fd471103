import { formatDuration } from '@claude-cli/shared/duration';
import type { AnyEvent, PlatformEvent, TaskFacts } from '@claude-cli/shared/events';
import type { Item, Position } from '../streams/item.ts';
import { topicsOf } from '../subscriptions/subscription.ts';
import { Encoded, type Message, type Patience } from './encoded.ts';

/** A message without its number. */
interface Told {
  message: Message;
  patience?: Patience;
}

/** How many messages tell clients about an event. */
export function countOf(event: AnyEvent): number {
  return toldOf(event, '').length;
}

/**
 * An event as an item of its stream.
 * @param first the number of its first message
 * @param count how many numbers it has: at least one, also when clients do not hear of it
 */
export function itemOf(event: AnyEvent, { epoch, seq: first }: Position, count: number): Item {
  const end = first + Math.max(1, count) - 1;
  let messages: readonly Encoded[] | undefined;
  const make = () =>
    toldOf(event, epoch).map(({ message, patience }, index) => {
      return new Encoded({ ...message, seq: Math.min(first + index, end), epoch }, patience);
    });
  return { epoch, seq: first, end, event, topics: topicsOf(event), messages: () => (messages ??= make()) };
}

/** The item of output: it brings its numbers along. */
export function outputItem(event: PlatformEvent<'command.output'>): Item {
  const { run_id, sequence, pieces } = event.data;
  return itemOf(event as AnyEvent, { epoch: run_id, seq: sequence }, pieces.length);
}

function toldOf(event: AnyEvent, epoch: string): Told[] {
  switch (event.type) {
    case 'task.created':
    case 'task.updated':
    case 'task.started':
    case 'task.progress':
    case 'task.cancelled':
    case 'task.deleted':
      return [taskUpdate(event, event.data.status)];
    case 'task.completed':
      return [taskUpdate(event, 'completed'), taskCompleted(event)];
    case 'task.failed':
      return [taskUpdate(event, 'failed'), taskFailed(event)];
    case 'project.created':
    case 'project.updated':
    case 'project.deleted': {
      const { name, status } = event.data;
      const data = { project_id: event.project_id, name, status, updated_at: event.time };
      return [{ message: { type: 'project_update', data, timestamp: event.time } }];
    }
    case 'notification.created':
      return [notification(event)];
    case 'command.output':
      return [...commandOutput(event, epoch), ...commandFinished(event)];
    default:
      return [];
  }
}

const finalStatuses: readonly string[] = ['completed', 'failed', 'cancelled'];

function taskUpdate({ data, time }: { data: TaskFacts; time: string }, status: TaskFacts['status']): Told {
  const { task_id, progress_percentage, updated_at } = data;
  const name = `task ${task_id}`;
  return {
    message: { type: 'task_update', data: { task_id, status, progress_percentage, updated_at }, timestamp: time },
    patience: finalStatuses.includes(status) ? { replaces: name } : { replaces: name, replaceableBy: name },
  };
}

function taskCompleted({ data, time }: PlatformEvent<'task.completed'>): Told {
  const { task_id, completed_at, duration_ms, exit_code } = data;
  const told = { task_id, status: 'completed', completed_at, duration: formatDuration(duration_ms), exit_code };
  return { message: { type: 'task_completed', data: told, timestamp: time } };
}

function taskFailed({ data, time }: PlatformEvent<'task.failed'>): Told {
  const { task_id, error, exit_code, timed_out } = data;
  const [code, message] = timed_out
    ? ['TASK_TIMEOUT', 'The execution of the task timed out']
    : ['TASK_EXECUTION_FAILED', 'Failed to execute task'];
  return {
    message: { type: 'error', data: { code, message, task_id, details: { error, exit_code } }, timestamp: time },
  };
}

function notification({ data, time }: PlatformEvent<'notification.created'>): Told {
  const { level, title, message, actions, notification_id, kind, project_id, task_id } = data;
  const told = { level, title, message, actions, notification_id, kind, project_id, task_id };
  return { message: { type: 'notification', data: told, timestamp: time } };
}

/** One message per piece, without a time of its own beside the piece's, as the API reference has it. */
function commandOutput({ data }: PlatformEvent<'command.output'>, epoch: string): Told[] {
  const { command_id, task_id } = data;
  return data.pieces.map(({ stream, content, timestamp }, index) => {
    const sequence = data.sequence + index;
    return {
      message: { type: 'command_output', data: { command_id, stream, content, timestamp, task_id, sequence } },
      patience: { droppable: { command_id, epoch, from: sequence, to: sequence } },
    };
  });
}

function commandFinished({ data, time }: PlatformEvent<'command.output'>): Told[] {
  const { command_id, task_id, end } = data;
  if (!end) return [];
  const told = { command_id, task_id, status: end.status, exit_code: end.exit_code };
  return [{ message: { type: 'command_finished', data: told, timestamp: time } }];
}

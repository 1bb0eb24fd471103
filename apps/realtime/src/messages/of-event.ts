import { formatDuration } from '@claude-cli/shared/duration';
import type { AnyEvent, PlatformEvent, TaskFacts } from '@claude-cli/shared/events';
import { dataMessage, type Encoded, encode } from './encoded.ts';

/** The messages that tell clients about an event, in order. None for events that clients do not hear of. */
export function messagesOf(event: AnyEvent): Encoded[] {
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
      return [dataMessage('project_update', data, event.time)];
    }
    case 'command.output':
      return commandOutput(event);
    default:
      return [];
  }
}

function taskUpdate({ data, time }: { data: TaskFacts; time: string }, status: TaskFacts['status']): Encoded {
  const { task_id, progress_percentage, updated_at } = data;
  return dataMessage('task_update', { task_id, status, progress_percentage, updated_at }, time);
}

function taskCompleted({ data, time }: PlatformEvent<'task.completed'>): Encoded {
  const { task_id, completed_at, duration_ms, exit_code } = data;
  const duration = formatDuration(duration_ms);
  return dataMessage('task_completed', { task_id, status: 'completed', completed_at, duration, exit_code }, time);
}

function taskFailed({ data, time }: PlatformEvent<'task.failed'>): Encoded {
  const { task_id, error, exit_code, timed_out } = data;
  const [code, message] = timed_out
    ? ['TASK_TIMEOUT', 'The execution of the task timed out']
    : ['TASK_EXECUTION_FAILED', 'Failed to execute task'];
  return dataMessage('error', { code, message, task_id, details: { error, exit_code } }, time);
}

/** One message per piece, without a time of its own beside the piece's, as the API reference has it. */
function commandOutput({ data }: PlatformEvent<'command.output'>): Encoded[] {
  const { command_id, task_id, sequence } = data;
  return data.pieces.map(({ stream, content, timestamp }) =>
    encode({ type: 'command_output', data: { command_id, stream, content, timestamp, task_id, sequence } }, true),
  );
}

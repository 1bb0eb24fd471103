import { z } from 'zod';
import { formatDuration } from '../duration.ts';
import type { EventType, PlatformEvent } from '../events.ts';
import { bounded, deliverable, fieldNames, id, ids, namesOf, time } from './deliverable.ts';

const task = z.object({
  task_id: id,
  project_id: id.nullable(),
  title: z.string(),
  status: z.enum(['pending', 'running', 'completed', 'failed', 'cancelled']),
  progress_percentage: z.number(),
  updated_at: time,
});

type TaskEvent = PlatformEvent<Extract<EventType, `task.${string}`>>;

function taskOf({ project_id, data }: TaskEvent): z.input<typeof task> {
  const { task_id, title, status, progress_percentage, updated_at } = data;
  return { task_id, project_id, title, status, progress_percentage, updated_at };
}

const { task_id, project_id, execution_id } = ids;
const aTask = {
  task_id,
  project_id,
  title: 'Write the docs',
  progress_percentage: 0,
  updated_at: '2025-07-30T14:00:00Z',
};

/** Events of tasks and of their executions. */
export const taskEvents = {
  'task.created': deliverable('task.created', {
    description: 'Task was created',
    data: task,
    dataOf: taskOf,
    example: { ...aTask, status: 'pending' },
  }),
  'task.updated': deliverable('task.updated', {
    description: 'Task was updated',
    data: task.extend({ changed_fields: fieldNames }),
    dataOf: (event) => ({ ...taskOf(event), changed_fields: namesOf(event.data.changes) }),
    example: { ...aTask, status: 'pending', changed_fields: ['title', 'priority'] },
  }),
  'task.started': deliverable('task.started', {
    description: 'An execution of the task began to run',
    data: task.extend({ execution_id: id }),
    dataOf: (event) => ({ ...taskOf(event), execution_id: event.data.execution_id }),
    example: { ...aTask, status: 'running', execution_id },
  }),
  'task.progress': deliverable('task.progress', {
    description: 'The execution of the task told how far it is',
    data: task.extend({ execution_id: id }),
    dataOf: (event) => ({ ...taskOf(event), execution_id: event.data.execution_id }),
    example: { ...aTask, status: 'running', progress_percentage: 40, execution_id },
    byNameOnly: true,
  }),
  'task.completed': deliverable('task.completed', {
    description: 'Task was completed',
    data: task.extend({
      execution_id: id.nullable(),
      completed_at: time,
      duration: z.string().regex(/^\d{2,}:\d{2}:\d{2}$/),
      exit_code: z.number(),
    }),
    dataOf: (event) => ({
      ...taskOf(event),
      execution_id: event.data.execution_id,
      completed_at: event.data.completed_at,
      duration: formatDuration(event.data.duration_ms),
      exit_code: event.data.exit_code,
    }),
    example: {
      ...aTask,
      status: 'completed',
      progress_percentage: 100,
      execution_id,
      completed_at: '2025-07-30T14:00:00Z',
      duration: '00:05:30',
      exit_code: 0,
    },
  }),
  'task.failed': deliverable('task.failed', {
    description: 'Task execution failed',
    data: task.extend({
      execution_id: id.nullable(),
      error: z.string(),
      exit_code: z.number().nullable(),
      timed_out: z.boolean(),
    }),
    dataOf: (event) => ({
      ...taskOf(event),
      execution_id: event.data.execution_id,
      error: bounded(event.data.error),
      exit_code: event.data.exit_code,
      timed_out: event.data.timed_out,
    }),
    example: { ...aTask, status: 'failed', execution_id, error: 'exit code 1', exit_code: 1, timed_out: false },
  }),
  'task.cancelled': deliverable('task.cancelled', {
    description: 'Task was cancelled',
    data: task.extend({ execution_id: id.nullable(), reason: z.string().nullable() }),
    dataOf: (event) => ({
      ...taskOf(event),
      execution_id: event.data.execution_id,
      reason: event.data.reason === null ? null : bounded(event.data.reason),
    }),
    example: { ...aTask, status: 'cancelled', execution_id, reason: 'No longer needed' },
  }),
  'task.deleted': deliverable('task.deleted', {
    description: 'Task was deleted',
    data: task,
    dataOf: taskOf,
    example: { ...aTask, status: 'completed', progress_percentage: 100 },
  }),
  'execution.finished': deliverable('execution.finished', {
    description: 'An attempt to run a task ended on a runner; another one may follow',
    data: z.object({
      execution_id: id,
      task_id: id,
      project_id: id.nullable(),
      status: z.enum(['completed', 'failed', 'cancelled', 'timed_out']),
      exit_code: z.number().nullable(),
      error: z.string().nullable(),
      started_at: time,
      finished_at: time,
      output_bytes: z.number(),
      cpu_seconds: z.number().nullable(),
      peak_memory_bytes: z.number().nullable(),
    }),
    dataOf: ({ project_id, data }) => ({
      execution_id: data.execution_id,
      task_id: data.task_id,
      project_id,
      status: data.status,
      exit_code: data.exit_code,
      error: data.error === null ? null : bounded(data.error),
      started_at: data.started_at,
      finished_at: data.finished_at,
      output_bytes: data.output_bytes,
      cpu_seconds: data.cpu_seconds,
      peak_memory_bytes: data.peak_memory_bytes,
    }),
    example: {
      execution_id,
      task_id,
      project_id,
      status: 'completed',
      exit_code: 0,
      error: null,
      started_at: '2025-07-30T13:54:30Z',
      finished_at: '2025-07-30T14:00:00Z',
      output_bytes: 20_480,
      cpu_seconds: 12.5,
      peak_memory_bytes: 52_428_800,
    },
  }),
} as const;

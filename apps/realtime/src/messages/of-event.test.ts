import type { AnyEvent } from '@claude-cli/shared/events';
import { expect, test } from '@jest/globals';
import { facts } from '../testing/platform.ts';
import { messagesOf } from './of-event.ts';

const time = '2025-07-30T14:05:00Z';
const about = { id: 'event', time, actor: 'user', session_id: null, project_id: 'project-uuid', version: 1 };
const textsOf = (event: AnyEvent) => messagesOf(event).map(({ bytes }) => bytes.toString());

test('an update has exactly the bytes of the API reference', () => {
  const data = { ...facts('task-uuid', { updated_at: '2025-07-30T14:00:00Z' }), execution_id: 'execution' };
  expect(textsOf({ ...about, type: 'task.progress', time: '2025-07-30T14:00:00Z', data })).toEqual([
    '{"type":"task_update","data":{"task_id":"task-uuid","status":"running","progress_percentage":45,"updated_at":"2025-07-30T14:00:00Z"},"timestamp":"2025-07-30T14:00:00Z"}',
  ]);
});

test('a completed task is an update and then the completion of the API reference', () => {
  const end = { execution_id: 'execution', completed_at: time, duration_ms: 300_000, exit_code: 0 };
  const [update, completed] = textsOf({
    ...about,
    type: 'task.completed',
    data: { ...facts('task-uuid', { status: 'completed' }), ...end },
  });
  expect(JSON.parse(update ?? '')).toMatchObject({ type: 'task_update', data: { status: 'completed' } });
  expect(completed).toBe(
    '{"type":"task_completed","data":{"task_id":"task-uuid","status":"completed","completed_at":"2025-07-30T14:05:00Z","duration":"00:05:00","exit_code":0},"timestamp":"2025-07-30T14:05:00Z"}',
  );
});

test('a failed task is an update and then the error of the API reference', () => {
  const end = {
    execution_id: 'execution',
    error: 'Command not found: invalidcommand',
    exit_code: 127,
    timed_out: false,
  };
  const [update, error] = textsOf({
    ...about,
    type: 'task.failed',
    data: { ...facts('task-uuid', { status: 'failed' }), ...end },
  });
  expect(JSON.parse(update ?? '')).toMatchObject({ type: 'task_update', data: { status: 'failed' } });
  expect(error).toBe(
    '{"type":"error","data":{"code":"TASK_EXECUTION_FAILED","message":"Failed to execute task","task_id":"task-uuid","details":{"error":"Command not found: invalidcommand","exit_code":127}},"timestamp":"2025-07-30T14:05:00Z"}',
  );
});

test('a task that ran out of time says so', () => {
  const end = { execution_id: 'execution', error: 'Timed out after 5 s', exit_code: null, timed_out: true };
  const [, error] = textsOf({ ...about, type: 'task.failed', data: { ...facts('task-uuid'), ...end } });
  expect(JSON.parse(error ?? '').data.code).toBe('TASK_TIMEOUT');
});

test('output starts with the keys of the API reference, has no time of its own and may be dropped', () => {
  const pieces = [
    { stream: 'stdout' as const, content: 'Building project...\n', timestamp: '2025-07-30T14:00:01Z' },
    { stream: 'stderr' as const, content: 'oh', timestamp: '2025-07-30T14:00:02Z' },
  ];
  const data = { command_id: 'command-uuid', task_id: null, user_id: 'user', sequence: 7, pieces };
  const messages = messagesOf({ ...about, type: 'command.output', data });
  expect(messages.map(({ bytes }) => bytes.toString())[0]).toBe(
    '{"type":"command_output","data":{"command_id":"command-uuid","stream":"stdout","content":"Building project...\\n","timestamp":"2025-07-30T14:00:01Z","task_id":null,"sequence":7}}',
  );
  expect(messages.map(({ droppable }) => droppable)).toEqual([true, true]);
});

test('a project is told by name and status', () => {
  const data = { name: 'Shop', status: 'archived' as const, member_ids: ['user'], changes: [] };
  expect(textsOf({ ...about, type: 'project.updated', data })).toEqual([
    '{"type":"project_update","data":{"project_id":"project-uuid","name":"Shop","status":"archived","updated_at":"2025-07-30T14:05:00Z"},"timestamp":"2025-07-30T14:05:00Z"}',
  ]);
});

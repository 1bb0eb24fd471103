import type { AnyEvent } from '@claude-cli/shared/events';
import { expect, test } from '@jest/globals';
import { facts } from '../testing/platform.ts';
import { countOf, itemOf, outputItem } from './of-event.ts';

const time = '2025-07-30T14:05:00Z';
const about = { id: 'event', time, actor: 'user', session_id: null, project_id: 'project-uuid', version: 1 };
const itemFor = (event: AnyEvent) => itemOf(event, { epoch: 'epoch', seq: 7 }, countOf(event));
/** The texts, without the numbers that they end with. */
const textsOf = (event: AnyEvent) =>
  itemFor(event)
    .messages()
    .map(({ bytes }, index) => bytes.toString().replace(`,"seq":${7 + index},"epoch":"epoch"}`, '}'));

test('the messages of an event have numbers that follow each other, and one number belongs to an event without messages', () => {
  const end = { execution_id: 'execution', completed_at: time, duration_ms: 300_000, exit_code: 0 };
  const item = itemFor({
    ...about,
    type: 'task.completed',
    data: { ...facts('task-uuid', { status: 'completed' }), ...end },
  });
  expect(item.messages().map(({ message }) => [message.seq, message.epoch])).toEqual([
    [7, 'epoch'],
    [8, 'epoch'],
  ]);
  expect([item.seq, item.end]).toEqual([7, 8]);
  expect(item.messages()).toBe(item.messages());
  const nothing = itemFor({ ...about, type: 'queue.resumed', data: { queue_name: 'high' } });
  expect([nothing.seq, nothing.end, nothing.messages()]).toEqual([7, 7, []]);
});

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
  const output = { command_id: 'command-uuid', run_id: 'run', task_id: null, user_id: 'user', sequence: 7, pieces };
  const item = outputItem({ ...about, type: 'command.output', data: output });
  expect(item.messages().map(({ bytes }) => bytes.toString())[0]).toBe(
    '{"type":"command_output","data":{"command_id":"command-uuid","stream":"stdout","content":"Building project...\\n","timestamp":"2025-07-30T14:00:01Z","task_id":null,"sequence":7},"seq":7,"epoch":"run"}',
  );
  expect([item.seq, item.end]).toEqual([7, 8]);
  expect(item.messages().map(({ patience }) => patience.droppable)).toEqual([
    { command_id: 'command-uuid', epoch: 'run', from: 7, to: 7 },
    { command_id: 'command-uuid', epoch: 'run', from: 8, to: 8 },
  ]);
});

test('the end of a command follows on its last piece', () => {
  const end = { status: 'failed', exit_code: 3 };
  const told = {
    command_id: 'command-uuid',
    run_id: 'run',
    task_id: 'task-uuid',
    user_id: 'user',
    sequence: 9,
    pieces: [],
    end,
  };
  const item = outputItem({ ...about, type: 'command.output', data: told });
  expect(item.messages().map(({ message }) => message)).toEqual([
    {
      type: 'command_finished',
      data: { command_id: 'command-uuid', task_id: 'task-uuid', status: 'failed', exit_code: 3 },
      timestamp: time,
      seq: 9,
      epoch: 'run',
    },
  ]);
  expect(item.topics.every((topic) => topic.startsWith('command_output'))).toBe(true);
});

test('a project is told by name and status', () => {
  const data = { name: 'Shop', status: 'archived' as const, member_ids: ['user'], changes: [] };
  expect(textsOf({ ...about, type: 'project.updated', data })).toEqual([
    '{"type":"project_update","data":{"project_id":"project-uuid","name":"Shop","status":"archived","updated_at":"2025-07-30T14:05:00Z"},"timestamp":"2025-07-30T14:05:00Z"}',
  ]);
});

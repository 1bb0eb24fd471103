import { createHash } from 'node:crypto';

/** The moment at which examples play. */
export const exampleTime = '2025-07-30T14:00:00Z';

/** Times that are not {@link exampleTime}, by the name of their field. */
const times: Readonly<Record<string, string>> = {
  created_at: '2025-07-30T12:00:00Z',
  updated_at: '2025-07-30T13:30:00Z',
  started_at: '2025-07-30T13:45:00Z',
  completed_at: '2025-07-30T13:45:02Z',
  since: '2025-07-29T14:00:00Z',
  start: '2025-07-29T14:00:00Z',
  created_after: '2025-07-01T00:00:00Z',
  created_before: '2025-08-01T00:00:00Z',
  expires_at: '2025-07-30T16:00:00Z',
};

/** A time for a field. */
export function timeFor(field: string): string {
  return times[field] ?? exampleTime;
}

/** Fields that hold ids though their names do not say of what. */
const kindOfField: Readonly<Record<string, string>> = {
  assigned_to: 'user',
  created_by: 'user',
  paused_by: 'user',
  set_by: 'user',
  announced_by: 'user',
  successful: 'task',
};

/** Messages whose own id is that of something with another name. */
const kindOfMessage: Readonly<Record<string, string>> = {
  TaskDetail: 'task',
  TaskSummary: 'task',
  ProjectDetail: 'project',
  Profile: 'user',
  SignedInUser: 'user',
  ApiKey: 'key',
  CreatedApiKey: 'key',
};

/** An id for a field that holds one; the same thing has the same id everywhere. undefined for other fields. */
export function idFor(field: string, message: string): string | undefined {
  if (field === 'id') return exampleId(kindOfMessage[message] ?? message.toLowerCase());
  const kind = kindOfField[field] ?? /^(\w+?)_ids?$/.exec(field)?.[1];
  return kind === undefined ? undefined : exampleId(kind);
}

/** A UUIDv7 of the day on which examples play, always the same for a kind of thing. */
export function exampleId(kind: string): string {
  const time = Date.parse('2025-07-30T12:00:00Z').toString(16).padStart(12, '0');
  const hash = createHash('sha256').update(kind).digest('hex');
  return [time.slice(0, 8), time.slice(8), `7${hash.slice(0, 3)}`, `8${hash.slice(3, 6)}`, hash.slice(6, 18)].join('-');
}

/** Texts by the name of their field, where the contract says no more. */
const texts: Readonly<Record<string, string>> = {
  access_token: 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIwMTk4NWI2YSJ9.c2lnbmF0dXJl',
  token_type: 'bearer',
  username: 'johndoe',
  user_name: 'John Doe',
  full_name: 'John Doe',
  email: 'john@example.com',
  version: '1.0.0',
};

/** A text for a field; undefined when nothing is known about it. */
export function textFor(field: string): string | undefined {
  return texts[field];
}

/** Texts by the name of their format. */
export const formatted: Readonly<Record<string, string>> = {
  uuid: exampleId('uuid'),
  'date-time': exampleTime,
  email: 'john@example.com',
  uri: 'https://example.com/',
  duration: '02:30:00',
  language: 'en',
  timezone: 'Europe/Berlin',
  'byte-size': '10MB',
};

/** Numbers by the name of their field, for lists of one. */
export const numbers: Readonly<Record<string, number>> = {
  total: 1,
  total_running: 1,
  affected_count: 1,
  expires_in: 3600,
  priority: 1,
};

/** What answers tell by which endpoint it was that brought the thing into this state. */
export const moments: Readonly<Record<string, Record<string, unknown>>> = {
  'ProjectService.CreateProject': {
    statistics: { total_tasks: 0, completed_tasks: 0, pending_tasks: 0, running_tasks: 0 },
    updated_at: timeFor('created_at'),
  },
  'TaskService.CreateTask': { updated_at: timeFor('created_at') },
  'QueueService.PauseQueue': { status: 'paused', paused_at: exampleTime, resumed_at: null },
  'QueueService.ResumeQueue': {
    status: 'active',
    reason: null,
    paused_at: null,
    paused_by: null,
    resumed_at: exampleTime,
  },
  'MaintenanceService.EndMaintenance': {
    status: 'none',
    message: null,
    starts_at: null,
    ends_at: null,
    announced_by: null,
  },
};

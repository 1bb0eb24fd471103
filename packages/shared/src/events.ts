import type { Execution_Status } from '@claude-cli/proto/platform/v1/executions';
import { newId } from './ids.ts';

/** One field of an aggregate that an event changed. */
export interface Change {
  field: string;
  old_value: unknown;
  new_value: unknown;
}

/** What every event about a task tells. */
export interface TaskFacts {
  task_id: string;
  title: string;
  status: 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';
  progress_percentage: number;
  updated_at: string;
  changes: Change[];
}

/** What every event about a project tells. */
export interface ProjectFacts {
  name: string;
  status: 'active' | 'archived' | 'completed';
  /** Users who have a role in the project after the event. */
  member_ids: string[];
}

/** What every event about an account tells. */
export interface UserFacts {
  user_id: string;
  username: string;
  role: 'admin' | 'developer' | 'viewer';
  status: 'active' | 'disabled';
  /** Tokens with an other version are revoked. */
  token_version: number;
}

/** What every event about a session tells. */
export interface SessionFacts {
  session_id: string;
  /** Whose session it is. */
  user_id: string;
}

/** One piece of output of a command. */
export interface OutputPiece {
  stream: 'stdout' | 'stderr' | 'system';
  content: string;
  /** When it was read, ISO 8601. */
  timestamp: string;
}

/** How a run on a runner ended. */
export interface RunResult {
  execution_id: string;
  task_id: string;
  /** Claim number of the run: results of an earlier claim are void. */
  generation: number;
  status: Exclude<Execution_Status, 'queued' | 'running'>;
  exit_code: number | null;
  /** Why it failed, in one line. */
  error: string | null;
  /** What an agent's run is known by: result text, cost, turns, conversation and so on; null for shell commands. */
  result: Record<string, unknown> | null;
  /**
   * When a run that failed is to be tried again without using up an attempt, since it could not do its work, ISO 8601: the
   * agent's usage limit is reset then. Null or absent: attempts decide.
   */
  retry_at?: string | null;
  /** Bytes of output that are stored of the run. */
  output_bytes: number;
  /** Processor time that the run took, in seconds; null where that is not known. */
  cpu_seconds: number | null;
  /** Most memory that the run held at a time, in bytes; null where that is not known. */
  peak_memory_bytes: number | null;
  started_at: string;
  finished_at: string;
}

/**
 * The catalog of events: from type to payload. A fact is told once it is stored, at least once, in the order of the
 * aggregate's versions; consumers are idempotent by event id.
 */
export interface EventCatalog {
  'task.created': TaskFacts & { initial_data: Record<string, unknown> };
  'task.updated': TaskFacts;
  'task.started': TaskFacts & { execution_id: string };
  'task.progress': TaskFacts & { execution_id: string };
  'task.completed': TaskFacts & {
    execution_id: string | null;
    completed_at: string;
    duration_ms: number;
    exit_code: number;
  };
  'task.failed': TaskFacts & {
    execution_id: string | null;
    error: string;
    exit_code: number | null;
    /** It was stopped because it took longer than it may. */
    timed_out: boolean;
  };
  'task.cancelled': TaskFacts & { execution_id: string | null; reason: string | null };
  'task.deleted': TaskFacts;
  'project.created': ProjectFacts;
  'project.updated': ProjectFacts & { changes: Change[] };
  'project.deleted': ProjectFacts;
  'user.created': UserFacts;
  /** Told too when its tokens are revoked. */
  'user.updated': UserFacts;
  'queue.paused': { queue_name: string; reason: string | null };
  'queue.resumed': { queue_name: string };
  'queue.cleared': { queue_name: string; cleared_count: number };
  'system.maintenance': {
    status: 'none' | 'announced' | 'active';
    message: string | null;
    starts_at: string | null;
    ends_at: string | null;
  };
  'session.created': SessionFacts;
  /** Its settings were changed. */
  'session.updated': SessionFacts & { changes: Change[] };
  /** Its settings were brought back to a point in time. */
  'session.restored': SessionFacts & { restore_point: string; changes: Change[] };
  /** A task was brought back to a point in time with the session; what changed in it is told by the task's own event. */
  'session.task_restored': SessionFacts & { restore_point: string; task_id: string; fields: string[] };
  'session.closed': SessionFacts;
  'execution.finished': RunResult;
  /** Transient: what a command wrote, in the order of sequence. */
  'command.output': {
    command_id: string;
    task_id: string | null;
    user_id: string;
    sequence: number;
    pieces: OutputPiece[];
  };
  /** A direct command ended. */
  'command.finished': {
    command_id: string;
    user_id: string;
    status: string;
    exit_code: number | null;
    /** An admin had it run although it was found unsafe. */
    forced: boolean;
  };
}

/** Type of an event. */
export type EventType = keyof EventCatalog;

/** Envelope of every event. */
export interface PlatformEvent<Type extends EventType = EventType> {
  /** UUIDv7; the same for every delivery of one event. */
  id: string;
  type: Type;
  /** When it happened, ISO 8601. */
  time: string;
  /** User who caused it, or the name of a service. */
  actor: string;
  /** Project it belongs to; null for what belongs to none. */
  project_id: string | null;
  /** Session in which it was caused; null where none was named. */
  session_id: string | null;
  /** Version of the aggregate after the event; 0 where there is no aggregate. */
  version: number;
  data: EventCatalog[Type];
}

/** An event of any type, with the type deciding the payload. */
export type AnyEvent = { [Type in EventType]: PlatformEvent<Type> }[EventType];

/** A new event, that happens now. */
export function newEvent<Type extends EventType>(
  type: Type,
  about: { actor: string; project_id: string | null; version?: number; session_id?: string | undefined },
  data: EventCatalog[Type],
): PlatformEvent<Type> {
  const { actor, project_id, version = 0, session_id = null } = about;
  return { id: newId(), type, time: new Date().toISOString(), actor, project_id, session_id, version, data };
}

/** Routing keys of events without a project, and of commands without a task, carry this in its place. */
const noProject = '_';

/**
 * Routing key of an event: its type, then its project, then, for output, the command. So a consumer binds just what it
 * wants: `task.#`, `task.completed.*`, `*.*.<project>`, `command.output.<project>.*`.
 */
export function routingKey(event: Pick<AnyEvent, 'type' | 'project_id' | 'data'>): string {
  const key = `${event.type}.${event.project_id ?? noProject}`;
  return 'command_id' in event.data ? `${key}.${event.data.command_id}` : key;
}

/** Pattern of routing keys for events of one type, of one project or of all. */
export function eventPattern(type: EventType | 'task' | 'project', projectId?: string | null): string {
  if (projectId === undefined) return `${type}.#`;
  const project = projectId ?? noProject;
  return type.includes('.') ? `${type}.${project}.#` : `${type}.*.${project}.#`;
}

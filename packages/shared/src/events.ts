import type { Execution_Status } from '@claude-cli/proto/platform/v1/executions';
import type { Notification_Kind, Notification_Level } from '@claude-cli/proto/platform/v1/notifications';
import { newId } from './ids.ts';
import { traced } from './telemetry/tracing.ts';

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

/** Whom the end of a task concerns. */
export interface Concerned {
  /** Absent in events of earlier versions. */
  people?: {
    created_by: string;
    assigned_to: string | null;
    /** Who asked for the run; null where the task was ended by hand. */
    requested_by: string | null;
  };
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

/** What every event about a webhook tells. */
export interface WebhookFacts {
  webhook_id: string;
  /** Without what may be secret in it. */
  url: string;
  /** Project whose events it is told; null: all that its owner may see. */
  project_id: string | null;
  owner_id: string;
  status: 'active' | 'paused' | 'disabled';
}

/** What the audit log tells of; the filter of the contract names the same. */
export const auditActions = [
  'api_key.created',
  'api_key.deleted',
  'api_key.first_used',
  'auth.login',
  'auth.logout',
  'command.forced',
  'endpoint.refused',
  'maintenance.changed',
  'project.deleted',
  'project.member_added',
  'project.member_changed',
  'project.member_removed',
  'queue.cleared',
  'queue.paused',
  'queue.resumed',
  'task.deleted',
  'user.created',
  'user.disabled',
  'user.enabled',
  'user.password_changed',
  'user.role_changed',
  'user.updated',
  'webhook.created',
  'webhook.deleted',
  'webhook.disabled',
  'webhook.secret_rotated',
  'webhook.updated',
] as const;

/** Something that matters for security, as the audit log keeps it. */
export interface AuditAct {
  action: (typeof auditActions)[number];
  outcome: 'success' | 'failure' | 'refused';
  /** What it was done to. */
  target: { type: string; id: string } | null;
  /** Where the request came from; null where that is not known. */
  address: string | null;
  request_id: string | null;
  /** Never a secret. */
  details: Record<string, unknown>;
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

/** Something that a user can do about a notification. */
export interface NotificationAction {
  label: string;
  action: 'dismiss' | 'view_details';
  /** Where to look, below the address of the platform. */
  url?: string;
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
  'task.completed': TaskFacts &
    Concerned & {
      execution_id: string | null;
      completed_at: string;
      duration_ms: number;
      exit_code: number;
    };
  'task.failed': TaskFacts &
    Concerned & {
      execution_id: string | null;
      error: string;
      exit_code: number | null;
      /** It was stopped because it took longer than it may. */
      timed_out: boolean;
    };
  'task.cancelled': TaskFacts & Concerned & { execution_id: string | null; reason: string | null };
  'task.deleted': TaskFacts;
  'project.created': ProjectFacts;
  'project.updated': ProjectFacts & { changes: Change[] };
  'project.deleted': ProjectFacts;
  'user.created': UserFacts;
  /** Told too when its tokens are revoked. */
  'user.updated': UserFacts;
  /** Told to the audit log alone, by the outbox of an account: never published. */
  'audit.act': AuditAct;
  'queue.paused': { queue_name: string; reason: string | null };
  'queue.resumed': { queue_name: string };
  'queue.cleared': { queue_name: string; cleared_count: number };
  'system.maintenance': {
    status: 'none' | 'announced' | 'active';
    message: string | null;
    starts_at: string | null;
    ends_at: string | null;
  };
  /** Something is wrong with the platform, or was and is no more. */
  'system.alert': {
    level: Notification_Level;
    title: string;
    message: string;
    details: Record<string, unknown>;
  };
  /** Its id is that of the notification. */
  'notification.created': {
    notification_id: string;
    /** Whom it is for; null: everybody, of whom those who do not want the kind leave it out. */
    user_id: string | null;
    kind: Notification_Kind;
    level: Notification_Level;
    title: string;
    message: string;
    actions: NotificationAction[];
    project_id: string | null;
    task_id: string | null;
  };
  'session.created': SessionFacts;
  /** Its settings were changed. */
  'session.updated': SessionFacts & { changes: Change[] };
  /** Its settings were brought back to a point in time. */
  'session.restored': SessionFacts & { restore_point: string; changes: Change[] };
  /** A task was brought back to a point in time with the session; what changed in it is told by the task's own event. */
  'session.task_restored': SessionFacts & { restore_point: string; task_id: string; fields: string[] };
  'session.closed': SessionFacts;
  'webhook.created': WebhookFacts;
  /** Its settings were changed, or it was paused or resumed. */
  'webhook.updated': WebhookFacts & { changed_fields: string[] };
  /** Deliveries to it failed for so long, or its receiver is gone, that there are no more. */
  'webhook.disabled': WebhookFacts & { reason: string };
  'webhook.deleted': WebhookFacts;
  'execution.finished': RunResult;
  /** Transient: what a command wrote, in the order of sequence, and then that it has ended. */
  'command.output': {
    command_id: string;
    /** Which attempt it is: an execution may run again under its id. */
    run_id: string;
    task_id: string | null;
    user_id: string;
    /** Number of the first piece: the pieces of a run are numbered from 1 without holes, and its end follows on the last. */
    sequence: number;
    pieces: OutputPiece[];
    /** How it ended; there are no pieces then. */
    end?: { status: string; exit_code: number | null };
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
  /** Its place in a trace; absent where none is recorded. */
  traceparent?: string;
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
  const time = new Date().toISOString();
  return { id: newId(), type, time, actor, project_id, session_id, version, ...traced(), data };
}

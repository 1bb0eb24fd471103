/** What a subscription can be narrowed to; exactly one must be given. */
export interface Scope {
  projectId?: string;
  taskId?: string;
  commandId?: string;
}

/** A channel; others than those known here are passed on to the platform. */
export type Channel =
  | 'task_updates'
  | 'project_updates'
  | 'command_output'
  | 'queue_status'
  | 'notifications'
  | (string & {});

/** The data of each message that the platform sends, by type. */
export interface LiveEvents {
  task_update: { taskId: string; status: string; progressPercentage: number; updatedAt: string };
  task_completed: {
    taskId: string;
    status: string;
    completedAt: string;
    duration: string;
    exitCode: number | null;
  };
  project_update: { projectId: string; name: string; status: string; updatedAt: string };
  command_output: {
    commandId: string;
    stream: string;
    content: string;
    timestamp: string;
    taskId: string | null;
    /** Of the batch that it was written with, from 1 per command. */
    sequence: number;
  };
  performance_data: {
    cpuUsage: number;
    memoryUsage: number;
    activeConnections: number;
    tasksPerMinute: number;
    queueSizes: Record<string, number>;
  };
  notification: {
    level: string;
    title: string;
    message: string;
    actions?: { label: string; action: string; url?: string }[];
  };
  /** What went wrong: an execution of a task, or something that was asked for. */
  error: { code: string; message: string; taskId?: string; details?: Record<string, unknown> };
  /** Messages of a channel were lost because they were read too slowly; `dropped` is null when nobody knows how many. */
  gap: { channel: string; dropped: number | null };
  task_queued: {
    taskId: string;
    executionId: string;
    status: string;
    queuePosition: number;
    estimatedStartTime: string | null;
  };
  authenticated: { sessionId: string; userId: string; expiresAt: string | null };
  subscribed: { channel: string } & Scope;
  unsubscribed: { channel: string } & Scope;
  /** Of this SDK: the connection is there again and hears what it heard; what happened meanwhile was missed. */
  reconnected: { attempts: number };
  /** Of this SDK: the connection was lost and will be tried again. */
  disconnected: { code: number; reason: string };
  /** Of this SDK: the connection has ended for good. */
  closed: { code: number; reason: string };
}

/** A message that has arrived. */
export interface LiveMessage {
  type: string;
  data: Record<string, unknown>;
  timestamp: string | number | undefined;
  requestId: string | undefined;
}

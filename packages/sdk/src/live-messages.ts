/** What a subscription is about: one of these, as it fits the channel. */
export interface Scope {
  projectId?: string;
  taskId?: string;
  commandId?: string;
  /** For `queue_status`; all queues when absent. */
  queueName?: 'high_priority' | 'normal_priority' | 'low_priority';
  /** For `performance_data`: seconds between measurements, from 1; 5 when absent. */
  interval?: number;
}

/** What `getMetrics` can tell. */
export type Metric = 'performance' | 'queue_status' | 'system_health';

/** One queue. */
export interface LiveQueue {
  size: number;
  processing: number;
  completed_today: number;
  paused: boolean;
  pause_reason: string | null;
}

/** A channel; others than those known here are passed on to the platform. */
export type Channel =
  | 'task_updates'
  | 'project_updates'
  | 'command_output'
  | 'queue_status'
  | 'notifications'
  | 'performance_data'
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
    /** From 1 per run of a command, without holes. */
    sequence: number;
  };
  /** A command has ended; nothing of its output follows. */
  command_finished: { commandId: string; taskId: string | null; status: string; exitCode: number | null };
  /** At once, and whenever something has changed. Deeper fields are named as in the API. */
  queue_status: {
    queues: { high_priority?: LiveQueue; normal_priority?: LiveQueue; low_priority?: LiveQueue };
    workers: { active: number; idle: number; total: number };
    performance: { tasks_per_minute: number; average_processing_time: string; success_rate: number };
  };
  performance_data: {
    cpuUsage: number;
    memoryUsage: number;
    activeConnections: number;
    tasksPerMinute: number;
    queueSizes: { high: number; normal: number; low: number };
    /** Where `getMetrics` asked for it. */
    queueStatus?: LiveEvents['queue_status'];
    systemHealth?: { status: string; checks: Record<string, unknown> };
  };
  notification: {
    level: string;
    title: string;
    message: string;
    actions?: { label: string; action: string; url?: string }[];
    notificationId: string;
    kind: string;
    projectId: string | null;
    taskId: string | null;
  };
  /** What went wrong: an execution of a task, or something that was asked for. */
  error: { code: string; message: string; taskId?: string; details?: Record<string, unknown> };
  /** Messages of a channel are missing; `dropped` is null when nobody knows how many, `from` and `to` are known numbers. */
  gap: {
    channel: string;
    dropped: number | null;
    commandId?: string;
    epoch?: string;
    from?: number;
    to?: number;
  };
  task_queued: {
    taskId: string;
    executionId: string;
    status: string;
    queuePosition: number;
    estimatedStartTime: string | null;
  };
  authenticated: { sessionId: string; userId: string; expiresAt: string | null };
  subscribed: { channel: string; epoch?: string; seq?: number; recovered?: boolean } & Scope;
  unsubscribed: { channel: string } & Scope;
  /** Of this SDK: the connection is there again and hears what it heard; what happened meanwhile follows, or `reload` came. */
  reconnected: { attempts: number };
  /** Of this SDK: what a subscription missed is not to be had any more. Load anew what it is about. */
  reload: { channel: string } & Scope;
  /** Of this SDK: the connection was lost and will be tried again. */
  disconnected: { code: number; reason: string };
  /** Of this SDK: the connection has ended for good. */
  closed: { code: number; reason: string };
}

/** A message that has arrived. */
export interface LiveMessage {
  type: string;
  data: Record<string, unknown>;
  timestamp?: string | number | undefined;
  requestId?: string | undefined;
  /** Number of the message in its epoch, where it has one. */
  seq?: number | undefined;
  epoch?: string | undefined;
}

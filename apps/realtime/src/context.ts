import type { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import type { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import type { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import type { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import type { ProjectAccessCache } from '@claude-cli/shared/access';
import type { Accounts } from '@claude-cli/shared/accounts';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import type { MaintenanceWatch } from '@claude-cli/shared/maintenance';
import type { Recent } from '@claude-cli/shared/recent';
import type { Resources } from '@claude-cli/shared/service/resources';
import type { Settings } from '@claude-cli/shared/settings';
import type { Connections } from './connections/connections.ts';
import type { ConnectionLeases } from './connections/leases.ts';
import type { Limits } from './limits.ts';
import type { EventLog } from './log/event-log.ts';
import type { LogStore } from './log/log-store.ts';
import type { LiveMetrics } from './metrics/live-metrics.ts';
import type { SharedBlocks } from './streams/log-history.ts';
import type { OutputNumbers } from './streams/output-numbers.ts';
import type { Streams } from './streams/streams.ts';
import type { Feed } from './subscriptions/feed.ts';
import type { Hub } from './subscriptions/hub.ts';

/** Settings that realtime reads. */
export const settingNames = ['HOST', 'PORT', 'JWT_SECRET', 'EVENT_LOG_SECONDS', 'REDIS_URL'] as const;

/** What everything in realtime works with. */
export interface Context {
  config: Settings<(typeof settingNames)[number]>;
  limits: Limits;
  log: Logger;
  access: ProjectAccessCache;
  /** Whom tokens stand for. */
  accounts: Accounts;
  /** Whether writes are refused now. */
  maintenance: MaintenanceWatch;
  bus: Bus;
  sessions: RpcClient<typeof SessionServiceService>;
  tasks: RpcClient<typeof TaskServiceService>;
  commands: RpcClient<typeof CommandServiceService>;
  /** Open WebSocket connections. */
  connections: Connections;
  /** Count of each user's connections over all replicas. */
  leases: ConnectionLeases;
  /** Who is to hear what. */
  hub: Hub;
  /** What the broker sends to this process. */
  feed: Feed;
  /** What happened, numbered and kept. */
  logStore: LogStore;
  eventLog: EventLog;
  /** Parts of it that were read lately. */
  blocks: SharedBlocks;
  /** The streams that somebody follows. */
  streams: Streams;
  /** How far the output of commands has come that is shown. */
  outputNumbers: OutputNumbers;
  /** How things are, for who listens to that. */
  metrics: LiveMetrics;
  /** How the whole platform is doing, asked once for all. */
  health: Recent<object>;
  users: RpcClient<typeof UserServiceService>;
  /** What users leave out of what is for everybody. */
  preferences: Recent<ReadonlySet<string>>;
  /** The connection to another app. */
  channel: Resources['channel'];
  /** Port that the door is bound to, once it is open. */
  port: number;
}

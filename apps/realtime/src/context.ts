import type { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import type { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import type { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import type { ProjectAccessCache } from '@claude-cli/shared/access';
import type { Accounts } from '@claude-cli/shared/accounts';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import type { MaintenanceWatch } from '@claude-cli/shared/maintenance';
import type { Settings } from '@claude-cli/shared/settings';
import type { Connections } from './connections/connections.ts';
import type { RecentIds } from './events/recent-ids.ts';
import type { Limits } from './limits.ts';
import type { Feed } from './subscriptions/feed.ts';
import type { Hub } from './subscriptions/hub.ts';

/** Settings that realtime reads. */
export const settingNames = ['HOST', 'PORT', 'JWT_SECRET'] as const;

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
  sessions: RpcClient<typeof SessionServiceService>;
  tasks: RpcClient<typeof TaskServiceService>;
  commands: RpcClient<typeof CommandServiceService>;
  /** Open WebSocket connections. */
  connections: Connections;
  /** Who is to hear what. */
  hub: Hub;
  /** What the broker sends to this process. */
  feed: Feed;
  /** Events that were told already. */
  told: RecentIds;
  /** Port that the door is bound to, once it is open. */
  port: number;
}

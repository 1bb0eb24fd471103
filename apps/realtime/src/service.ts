import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { ProjectAccessCache } from '@claude-cli/shared/access';
import { Accounts } from '@claude-cli/shared/accounts';
import { MaintenanceWatch } from '@claude-cli/shared/maintenance';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { Connections } from './connections/connections.ts';
import { openDoor } from './connections/door.ts';
import { type Context, settingNames } from './context.ts';
import { consumeEvents } from './events/consume-events.ts';
import { RecentIds } from './events/recent-ids.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { Feed } from './subscriptions/feed.ts';
import { Hub } from './subscriptions/hub.ts';
import { recheckAll } from './subscriptions/recheck.ts';

/** The realtime service with some bounds of its own. */
export function realtimeWith(own: Partial<Limits>): Service<(typeof settingNames)[number], Context> {
  const limits = { ...defaultLimits, ...own };
  return {
    name: 'realtime',
    settings: settingNames,
    context: async ({ config, log, resources }) => {
      const bus = await resources.connectBus();
      return {
        config,
        limits,
        log,
        access: new ProjectAccessCache(resources.channel('project-service')),
        accounts: new Accounts(resources.channel('project-service')),
        maintenance: new MaintenanceWatch(resources.channel('project-service'), 'realtime', log),
        sessions: resources.channel('project-service').client(SessionServiceService),
        tasks: resources.channel('task-service').client(TaskServiceService),
        commands: resources.channel('command-runner').client(CommandServiceService),
        connections: new Connections(limits),
        hub: new Hub(),
        feed: new Feed(bus, limits.bindMs),
        told: new RecentIds(10_000),
        port: 0,
      };
    },
    runs: [
      ({ maintenance }) => maintenance.start(),
      consumeEvents,
      (ctx) => every(limits.recheckMs, 'checking the access of subscribers', () => recheckAll(ctx), ctx.log),
      (ctx) => every(limits.pingMs, 'pinging', async () => ctx.connections.pingAll(), ctx.log),
      openDoor,
    ],
    diagnose: ({ feed, connections }) => ({
      websocket: {
        status: feed.connected ? 'healthy' : 'degraded',
        active_connections: connections.size,
        avg_latency: connections.meanLatency,
      },
    }),
  };
}

/** Live updates over WebSocket. */
export const realtime = realtimeWith({});

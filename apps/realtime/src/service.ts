import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { LiveServiceService } from '@claude-cli/proto/platform/v1/live';
import { QueueServiceService } from '@claude-cli/proto/platform/v1/queues';
import { SessionServiceService } from '@claude-cli/proto/platform/v1/sessions';
import { TaskServiceService } from '@claude-cli/proto/platform/v1/tasks';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { ProjectAccessCache } from '@claude-cli/shared/access';
import { Accounts } from '@claude-cli/shared/accounts';
import { serve } from '@claude-cli/shared/grpc/server';
import { MaintenanceWatch } from '@claude-cli/shared/maintenance';
import { Recent } from '@claude-cli/shared/recent';
import { connectRedis } from '@claude-cli/shared/redis';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { Connections } from './connections/connections.ts';
import { diagnosisOf } from './connections/diagnosis.ts';
import { openDoor } from './connections/door.ts';
import { ConnectionLeases } from './connections/leases.ts';
import { type Context, settingNames } from './context.ts';
import { database } from './database.ts';
import { consumeEvents } from './events/consume-events.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { EventLog } from './log/event-log.ts';
import { LogStore } from './log/log-store.ts';
import { runSequencer } from './log/sequencer.ts';
import { LiveMetrics } from './metrics/live-metrics.ts';
import { watchConnections } from './metrics/prometheus.ts';
import { tellMetrics } from './metrics/tell-metrics.ts';
import { learnUnwantedOfAll } from './notifications/unwanted.ts';
import { streamCommand } from './sse/stream-command.ts';
import { streamEvents } from './sse/stream-events.ts';
import { SharedBlocks } from './streams/log-history.ts';
import { lookForMissed } from './streams/look-for-missed.ts';
import { openStream } from './streams/open-stream.ts';
import { OutputNumbers } from './streams/output-numbers.ts';
import { Streams } from './streams/streams.ts';
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
      const [bus, { connection }] = await Promise.all([resources.connectBus(), resources.connectMongo(database)]);
      const logStore = new LogStore(connection, config.EVENT_LOG_SECONDS);
      const redis = config.REDIS_URL === undefined ? undefined : resources.use(connectRedis(config.REDIS_URL, log));
      const connections = new Connections(limits);
      const hub = new Hub();
      const queues = resources.channel('task-service').client(QueueServiceService);
      const ctx: Context = {
        config,
        limits,
        log,
        access: new ProjectAccessCache(resources.channel('project-service')),
        accounts: new Accounts(resources.channel('project-service')),
        maintenance: new MaintenanceWatch(resources.channel('project-service'), 'realtime', log),
        bus,
        sessions: resources.channel('project-service').client(SessionServiceService),
        tasks: resources.channel('task-service').client(TaskServiceService),
        commands: resources.channel('command-runner').client(CommandServiceService),
        connections,
        leases: new ConnectionLeases(redis?.client, limits, log),
        hub,
        feed: new Feed(bus, limits.bindMs),
        logStore,
        eventLog: new EventLog(logStore),
        blocks: new SharedBlocks(logStore),
        streams: new Streams((name) => openStream(ctx, name)),
        outputNumbers: new OutputNumbers(),
        metrics: new LiveMetrics({ hub, connections, queues, log }),
        health: new Recent({ freshMs: 1_000, usableMs: 5_000, max: 1 }),
        users: resources.channel('project-service').client(UserServiceService),
        preferences: new Recent({ freshMs: 5_000, usableMs: 5_000, max: 10_000 }),
        channel: (owner) => resources.channel(owner),
        port: 0,
      };
      return ctx;
    },
    serves: [serve(LiveServiceService, { streamEvents, streamCommand })],
    runs: [
      ({ maintenance }) => maintenance.start(),
      runSequencer,
      consumeEvents,
      lookForMissed,
      (ctx) => every(limits.recheckMs, 'checking the access of subscribers', () => recheckAll(ctx), ctx.log),
      (ctx) => every(limits.recheckMs, 'asking for preferences', () => learnUnwantedOfAll(ctx), ctx.log),
      (ctx) =>
        every(limits.leaseMs / 3, 'counting connections', () => ctx.leases.renew(ctx.connections.idsByUser()), ctx.log),
      (ctx) => every(limits.pingMs, 'pinging', async () => ctx.connections.pingAll(), ctx.log),
      tellMetrics,
      watchConnections,
      openDoor,
    ],
    diagnose: diagnosisOf,
  };
}

/** Live updates over WebSocket. */
export const realtime = realtimeWith({});

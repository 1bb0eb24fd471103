import { Accounts } from '@claude-cli/shared/accounts';
import type { RpcChannel } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import { MaintenanceWatch } from '@claude-cli/shared/maintenance';
import { connectRedis } from '@claude-cli/shared/redis';
import type { Owner } from '@claude-cli/shared/service/resources';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Redis } from 'ioredis';
import type { GatewayConfig, GatewaySetting } from './config.ts';
import { EventStreams } from './http/event-streams.ts';
import { Refusals } from './http/refusals.ts';
import { RequestWindow } from './http/request-window.ts';
import { Once } from './idempotency/once.ts';
import { LoginLimits } from './limits/login-limits.ts';
import { Overload } from './limits/overload.ts';
import { RateLimits } from './limits/rate-limits.ts';
import { InSession } from './sessions/in-session.ts';

/** What everything in the gateway works with. */
export interface GatewayContext {
  config: GatewayConfig;
  log: Logger;
  /** The connection to an app. */
  channel(owner: Owner): RpcChannel;
  /** Absent when it is not configured. */
  redis: Redis | undefined;
  accounts: Accounts;
  rateLimits: RateLimits;
  logins: LoginLimits;
  overload: Overload;
  maintenance: MaintenanceWatch;
  refusals: Refusals;
  once: Once;
  inSession: InSession;
  /** Server-sent events that are being sent. */
  streams: EventStreams;
  /** How the last minute of requests went. */
  window: RequestWindow;
  /** When the gateway started, as performance.now() tells it. */
  startedAt: number;
}

/** The context of a gateway that starts now. */
export function createContext({ config, log, resources }: BaseContext<GatewaySetting>): GatewayContext {
  const redis = config.REDIS_URL === undefined ? undefined : resources.use(connectRedis(config.REDIS_URL, log)).client;
  return contextOf(config, log, (owner) => resources.channel(owner), redis);
}

/** The context over connections that are there already. */
export function contextOf(
  config: GatewayConfig,
  log: Logger,
  channel: GatewayContext['channel'],
  redis: Redis | undefined,
): GatewayContext {
  const projectService = channel('project-service');
  return {
    config,
    log,
    channel,
    redis,
    accounts: new Accounts(projectService),
    rateLimits: new RateLimits(config, redis),
    logins: new LoginLimits(config.RATE_LIMIT_LOGIN, redis),
    overload: new Overload(config),
    maintenance: new MaintenanceWatch(projectService, 'gateway', log),
    refusals: new Refusals(projectService, log),
    once: new Once(projectService, config.JWT_SECRET, log),
    inSession: new InSession(projectService, log),
    streams: new EventStreams(log),
    window: new RequestWindow(),
    startedAt: performance.now(),
  };
}

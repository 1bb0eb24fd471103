import type { RpcChannel } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import type { Owner } from '@claude-cli/shared/service/resources';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { SettingName, Settings } from '@claude-cli/shared/settings';
import { RequestWindow } from './http/request-window.ts';

/** Settings that the gateway reads. */
export const gatewaySettings = [
  'HOST',
  'PORT',
  'JWT_SECRET',
  'REDIS_URL',
  'REALTIME_URL',
  'BODY_LIMIT_BYTES',
  'SHUTDOWN_GRACE_MS',
  'NODE_ENV',
] as const satisfies SettingName[];

/** Values of {@link gatewaySettings}. */
export type GatewayConfig = Settings<(typeof gatewaySettings)[number]>;

/** What everything in the gateway works with. */
export interface GatewayContext {
  config: GatewayConfig;
  log: Logger;
  /** The connection to an app. */
  channel(owner: Owner): RpcChannel;
  /** How the last minute of requests went. */
  window: RequestWindow;
  /** When the gateway started, as performance.now() tells it. */
  startedAt: number;
}

/** The context of a gateway that starts now. */
export function createContext({
  config,
  log,
  resources,
}: BaseContext<(typeof gatewaySettings)[number]>): GatewayContext {
  return {
    config,
    log,
    channel: (owner) => resources.channel(owner),
    window: new RequestWindow(),
    startedAt: performance.now(),
  };
}

import type { SettingName, Settings } from '@claude-cli/shared/settings';

/** Settings that the gateway reads. */
export const gatewaySettings = [
  'HOST',
  'PORT',
  'JWT_SECRET',
  'REDIS_URL',
  'REALTIME_URL',
  'BODY_LIMIT_BYTES',
  'RATE_LIMIT_ANONYMOUS',
  'RATE_LIMIT_USER',
  'RATE_LIMIT_PREMIUM',
  'RATE_LIMIT_LOGIN',
  'TRUST_PROXY',
  'CORS_ORIGINS',
  'MAX_REQUESTS_IN_FLIGHT',
  'MAX_EVENT_LOOP_DELAY_MS',
  'SHUTDOWN_GRACE_MS',
  'NODE_ENV',
] as const satisfies SettingName[];

/** Name of one of {@link gatewaySettings}. */
export type GatewaySetting = (typeof gatewaySettings)[number];

/** Values of {@link gatewaySettings}. */
export type GatewayConfig = Settings<GatewaySetting>;

import type { Service } from '@claude-cli/shared/service/service';
import { type GatewaySetting, gatewaySettings } from './config.ts';
import { createContext, type GatewayContext } from './context.ts';
import { startGateway } from './http/server.ts';

/** The public door. */
export const gateway: Service<GatewaySetting, GatewayContext> = {
  name: 'gateway',
  settings: gatewaySettings,
  context: createContext,
  runs: [({ maintenance }) => maintenance.start(), ({ refusals }) => refusals.start(), (ctx) => startGateway(ctx)],
};

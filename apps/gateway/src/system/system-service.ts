import { SystemServiceService } from '@claude-cli/proto/platform/v1/system';
import { serve } from '@claude-cli/shared/grpc/server';
import type { GatewayContext } from '../context.ts';
import { getDetailedHealth } from './get-detailed-health.ts';
import { getHealth } from './get-health.ts';
import { getSystemInfo } from './get-system-info.ts';

/** What the gateway answers itself, so that it works while other services do not. */
export const systemService = serve<GatewayContext, typeof SystemServiceService>(SystemServiceService, {
  getHealth,
  getDetailedHealth,
  getSystemInfo,
});

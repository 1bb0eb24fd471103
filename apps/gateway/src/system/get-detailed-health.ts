import type { DetailedHealth, HealthChecks } from '@claude-cli/proto/platform/v1/system';
import type { Call } from '@claude-cli/shared/grpc/server';
import { checkPlatform, overall } from '@claude-cli/shared/service/health';
import type { GatewayContext } from '../context.ts';
import { checkRedis } from './check-redis.ts';

/** Anyone may ask, so however many do, each part is asked once per so many milliseconds. */
const freshMs = 1_000;

interface Checked {
  at: number;
  checks: Promise<HealthChecks>;
}

const latest = new WeakMap<GatewayContext, Checked>();

/** Every part checked now, or within the last second. */
export async function getDetailedHealth(ctx: GatewayContext, _request: unknown, call: Call): Promise<DetailedHealth> {
  const now = performance.now();
  let checked = latest.get(ctx);
  if (!checked || now - checked.at > freshMs) {
    checked = { at: now, checks: checkAll(ctx, call.requestId) };
    latest.set(ctx, checked);
  }
  const checks = await checked.checks;
  return {
    status: overall(checks),
    timestamp: new Date().toISOString(),
    checks,
    metrics: ctx.window.metrics(),
  };
}

async function checkAll(ctx: GatewayContext, requestId: string): Promise<HealthChecks> {
  const { channel, log } = ctx;
  const [redis, platform] = await Promise.all([
    checkRedis(ctx.redis),
    checkPlatform({ name: 'gateway', channel, log }, requestId),
  ]);
  return { ...platform, redis };
}

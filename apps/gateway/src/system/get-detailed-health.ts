import {
  type DetailedHealth,
  type Diagnosis,
  DiagnosticsServiceService,
  type Health_Status,
  type HealthChecks,
} from '@claude-cli/proto/platform/v1/system';
import { serviceCaller } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Owner } from '@claude-cli/shared/service/resources';
import { owners } from '@claude-cli/shared/service/resources';
import type { GatewayContext } from '../context.ts';
import { checkRedis } from './check-redis.ts';

const deadlineMs = 2_000;

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

/** What one app answered; without a diagnosis it did not. */
export interface Answer {
  name: Owner;
  diagnosis?: Diagnosis;
  milliseconds?: number;
}

async function checkAll(ctx: GatewayContext, requestId: string): Promise<HealthChecks> {
  const [redis, ...answers] = await Promise.all([
    checkRedis(ctx.redis),
    ...owners.map((owner) => diagnose(ctx, owner, requestId)),
  ]);
  return { ...merge(answers), redis };
}

async function diagnose(ctx: GatewayContext, name: Owner, requestId: string): Promise<Answer> {
  const started = performance.now();
  const origin = { caller: serviceCaller('gateway'), requestId, deadline: new Date(Date.now() + deadlineMs) };
  try {
    const diagnosis = await ctx.channel(name).client(DiagnosticsServiceService).diagnose({}, origin, { deadlineMs });
    return { name, diagnosis, milliseconds: Math.round((performance.now() - started) * 100) / 100 };
  } catch (thrown) {
    const { code, message } = PlatformError.from(thrown);
    ctx.log.warn({ request_id: requestId, app: name, code }, message);
    return { name };
  }
}

/** One picture of what all apps report. A part that no app reports on is unhealthy: nobody has reached it. */
export function merge(answers: readonly Answer[]): Omit<HealthChecks, 'redis'> {
  const diagnoses = answers.flatMap(({ diagnosis }) => diagnosis ?? []);
  const databases = diagnoses.flatMap(({ database }) => database ?? []);
  const brokers = diagnoses.flatMap(({ broker }) => broker ?? []);
  const pings = databases.flatMap(({ response_time }) => response_time ?? []);
  const connections = { active: 0, idle: 0, total: 0 };
  for (const pool of databases.flatMap((database) => database.connections ?? [])) {
    connections.active += pool.active;
    connections.idle += pool.idle;
    connections.total += pool.total;
  }
  return {
    database: {
      status: worst(databases.map(({ status }) => status)),
      response_time: pings.length > 0 ? Math.max(...pings) : undefined,
      connections,
    },
    websocket: diagnoses.find(({ websocket }) => websocket)?.websocket ?? {
      status: 'unhealthy',
      active_connections: 0,
      avg_latency: 0,
    },
    broker: { status: worst(brokers.map(({ status }) => status)) },
    services: answers.map(({ name, diagnosis, milliseconds }) => ({
      name,
      status: diagnosis ? 'healthy' : 'unhealthy',
      response_time: milliseconds,
    })),
  };
}

const fromWorst = ['unhealthy', 'degraded', 'healthy'] as const satisfies Health_Status[];

function worst(statuses: readonly Health_Status[]): Health_Status {
  if (statuses.length === 0) return 'unhealthy';
  return fromWorst.find((status) => statuses.includes(status)) ?? 'healthy';
}

/** healthy: all is; unhealthy: the database or a service is; degraded: something else is not healthy. */
export function overall({ database, redis, websocket, broker, services }: HealthChecks): Health_Status {
  const vital = [database?.status, ...services.map(({ status }) => status)];
  if (vital.includes('unhealthy')) return 'unhealthy';
  const all = [...vital, websocket?.status, broker?.status, redis?.status];
  return all.every((status) => status === 'healthy' || status === 'not_configured') ? 'healthy' : 'degraded';
}

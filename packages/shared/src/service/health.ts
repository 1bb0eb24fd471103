import {
  type DetailedHealth,
  type Diagnosis,
  DiagnosticsServiceService,
  type Health_Status,
  type HealthChecks,
} from '@claude-cli/proto/platform/v1/system';
import { serviceCaller } from '../caller.ts';
import { PlatformError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type Owner, owners, type Resources } from './resources.ts';

const deadlineMs = 2_000;

/** What every app says of itself, as one picture; Redis is known to those who use it. */
export type PlatformChecks = Omit<HealthChecks, 'redis'>;

/** What asking takes. */
interface Asker {
  /** Name of the app that asks. */
  name: string;
  channel: Resources['channel'];
  log: Logger;
  /** Whom it may ask; all when absent. */
  neighbours?: readonly Owner[];
  /** What it says of itself, unless it asks itself as well. */
  own?: Answer;
}

/** What one app answered; without a diagnosis it did not. */
export interface Answer {
  name: Owner;
  diagnosis?: Diagnosis;
  milliseconds?: number;
}

/** Ask every app how it and what it depends on are doing. Never rejects: who does not answer is unhealthy. */
export async function checkPlatform(asker: Asker, requestId: string): Promise<PlatformChecks> {
  const { neighbours = owners, own } = asker;
  const answers = await Promise.all(neighbours.map((owner) => diagnose(asker, owner, requestId)));
  return merge(own ? [...answers, own] : answers);
}

async function diagnose({ name: asker, channel, log }: Asker, name: Owner, requestId: string): Promise<Answer> {
  const started = performance.now();
  const origin = { caller: serviceCaller(asker), requestId, deadline: new Date(Date.now() + deadlineMs) };
  try {
    const diagnosis = await channel(name).client(DiagnosticsServiceService).diagnose({}, origin, { deadlineMs });
    return { name, diagnosis, milliseconds: Math.round((performance.now() - started) * 100) / 100 };
  } catch (thrown) {
    const { code, message } = PlatformError.from(thrown);
    log.warn({ request_id: requestId, app: name, code }, message);
    return { name };
  }
}

/** One picture of what all apps report. A part that no app reports on is unhealthy: nobody has reached it. */
function merge(answers: readonly Answer[]): PlatformChecks {
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
export function overall({
  database,
  redis,
  websocket,
  broker,
  services,
}: PlatformChecks & Partial<HealthChecks>): DetailedHealth['status'] {
  const vital = [database?.status, ...services.map(({ status }) => status)];
  if (vital.includes('unhealthy')) return 'unhealthy';
  const all = [...vital, websocket?.status, broker?.status, ...(redis ? [redis.status] : [])];
  return all.every((status) => status === 'healthy' || status === 'not_configured') ? 'healthy' : 'degraded';
}

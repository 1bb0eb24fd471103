import { join } from 'node:path';
import { forkNode } from './child.ts';
import type { DataDir } from './data-dir.ts';
import { formatLogLine } from './log-lines.ts';
import { root } from './paths.ts';
import { freePorts } from './ports.ts';
import type { SetupError } from './setup-error.ts';
import { Supervised } from './supervised.ts';

/** The apps in the order in which they start; they stop in the reverse order, the door first. */
export const serviceNames = [
  'project-service',
  'task-service',
  'command-runner',
  'realtime',
  'webhook-dispatcher',
  'gateway',
] as const;

/** Name of an app. */
export type ServiceName = (typeof serviceNames)[number];

/** Where every app listens. */
export interface Addresses {
  grpc: Record<ServiceName, number>;
  admin: Record<ServiceName, number>;
  /** Upstream of WebSockets. */
  realtime: number;
  /** The public door. */
  gateway: number;
}

/** What is told about the apps. */
export interface ServiceEvents {
  onLine: (service: ServiceName, line: string) => void;
  onRestart: (service: ServiceName, why: string) => void;
  onGiveUp: (error: SetupError) => void;
}

const readyTimeoutMs = 180_000;
const probeTimeoutMs = 2_000;

/** Free ports for all apps. */
export async function assignAddresses(gateway: number): Promise<Addresses> {
  const ports = await freePorts(serviceNames.length * 2 + 2);
  const next = () => Number(ports.pop());
  const perService = () =>
    Object.fromEntries(serviceNames.map((name) => [name, next()])) as Record<ServiceName, number>;
  return { grpc: perService(), admin: perService(), realtime: next(), gateway: gateway === 0 ? next() : gateway };
}

/**
 * The environment that every app gets, whatever the user's says: how the apps find each other.
 * @param replicas where those of each app listen
 * @param realtime port of the way to any replica of realtime, where there are several
 */
export function addressEnv(replicas: readonly Addresses[], realtime = replicas[0]?.realtime): Record<string, string> {
  const all = (name: ServiceName) => replicas.map(({ grpc }) => `127.0.0.1:${grpc[name]}`).join();
  return {
    PROJECT_SERVICE_ADDRESS: all('project-service'),
    TASK_SERVICE_ADDRESS: all('task-service'),
    COMMAND_RUNNER_ADDRESS: all('command-runner'),
    REALTIME_ADDRESS: all('realtime'),
    WEBHOOK_DISPATCHER_ADDRESS: all('webhook-dispatcher'),
    REALTIME_URL: `http://127.0.0.1:${realtime}`,
  };
}

/** One app as a supervised child. */
export function superviseService(
  name: ServiceName,
  addresses: Addresses,
  env: NodeJS.ProcessEnv,
  dataDir: DataDir,
  events: ServiceEvents,
): Supervised {
  const cwd = join(root, 'apps', name);
  // Only the door may be reached from elsewhere.
  const host = name === 'gateway' ? (env.HOST ?? '127.0.0.1') : '127.0.0.1';
  const ownEnv = {
    ...env,
    HOST: host,
    GRPC_PORT: String(addresses.grpc[name]),
    ADMIN_PORT: String(addresses.admin[name]),
    ...(name === 'gateway' ? { PORT: String(addresses.gateway) } : {}),
    ...(name === 'realtime' ? { PORT: String(addresses.realtime) } : {}),
  };
  const readyz = `http://${reachable(host)}:${addresses.admin[name]}/readyz`;
  return new Supervised({
    name,
    start: (onLine) => forkNode(join(cwd, 'src/main.ts'), [], { name, cwd, env: ownEnv, dataDir, onLine }),
    isReady: () => answers(readyz),
    readyTimeoutMs,
    graceMs: Number(env.SHUTDOWN_GRACE_MS) || 10_000,
    onLine: (line) => events.onLine(name, line),
    show: (line) => formatLogLine(name, line),
    onRestart: (why) => events.onRestart(name, why),
    onGiveUp: events.onGiveUp,
  });
}

/** Whether an address is reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** An address to dial for one that is listened on. */
export function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(probeTimeoutMs) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

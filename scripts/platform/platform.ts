import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readSecretFiles } from '../../packages/shared/src/settings.ts';
import { type DataDir, openDataDir } from './data-dir.ts';
import { startInfrastructure } from './infrastructure.ts';
import { assertPortFree } from './ports.ts';
import { placeReplicas } from './replicas.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import {
  addressEnv,
  assignAddresses,
  isLoopback,
  reachable,
  type ServiceEvents,
  type ServiceName,
  serviceNames,
  superviseService,
} from './services.ts';
import { SetupError } from './setup-error.ts';
import { type Supervised, superviseAll } from './supervised.ts';

/** How a platform is started. */
export interface PlatformOptions {
  dataDir: string;
  /** Port of the public door; 0 takes a free one. */
  port: number;
  env: NodeJS.ProcessEnv;
  /** Of each app; 1 when absent. Several are behind a balancer, as in a cluster. */
  replicas?: number;
  /** Rather a broker of our own than that of this machine. */
  preferPrivateBroker?: boolean;
  /** Progress, for people. */
  say?: (line: string) => void;
  /** What the services write. */
  onLine?: (source: string, line: string) => void;
  /** Ends a start that is under way. */
  signal?: AbortSignal;
}

/** One of several processes of an app. */
export interface Replica {
  process: Supervised;
  /** Lead nobody more to it, or again: as a cluster does before it stops one, and once it is ready. For apps with a door. */
  setInService(inService: boolean): void;
}

/** A platform that runs. */
export interface Platform extends AsyncDisposable {
  /** Of the public door, without a trailing slash. */
  url: string;
  adminUsername: string;
  adminPassword: string;
  secrets: Secrets;
  store: string;
  broker: string;
  /** Whether webhooks may lead to this machine. */
  webhooksReachUs: boolean;
  /** Settles with the reason when a part crashes again and again. The platform is then to be stopped. */
  failed: Promise<SetupError>;
  /** Send a signal, SIGKILL unless named, to one app, which is then started again. @returns the process id that it had */
  kill(service: ServiceName, signal?: NodeJS.Signals): number;
  pid(service: ServiceName): number | undefined;
  /** Resolves when the app works, again or still. */
  ready(service: ServiceName): Promise<void>;
  /** The replicas of an app that were started with the platform. */
  replicas(service: ServiceName): readonly Replica[];
  /** Start another replica of an app, on ports of its own. It ends with the platform, or when it is stopped. */
  replicate(service: ServiceName): Promise<Supervised>;
  /** Where Prometheus reads the metrics of an app. */
  metricsUrl(service: ServiceName): string;
  stop(): Promise<void>;
}

/** Start store, broker and all apps, and wait until they work. Whatever was started is stopped again when one fails. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { signal, say = () => {}, onLine = () => {} } = options;
  const env = withSecrets(options.env);
  const host = env.HOST || '127.0.0.1';
  const failure = Promise.withResolvers<SetupError>();
  const onGiveUp = failure.resolve;

  await using starting = new AsyncDisposableStack();
  if (options.port !== 0) await assertPortFree(host, options.port);
  const dataDir = starting.use(await openDataDir(options.dataDir));
  const workspaceRoot = openWorkspaceRoot(env, dataDir);
  const secrets = loadSecrets(dataDir.path, env);

  const { store, broker } = starting.use(
    await startInfrastructure({
      env,
      dataDir,
      onGiveUp,
      signal,
      say,
      preferPrivate: options.preferPrivateBroker,
      onLine: (line) => onLine('embedded-mongo', line),
    }),
  );
  say(`store: ${store.description}`);
  say(`broker: ${broker.description}`);

  // The models need generated code, which is not there yet when a fresh clone reads this file.
  const { migrateAll } = await import('./migrate-all.ts');
  await migrateAll(store.uri, env.LOG_LEVEL || 'warn');
  signal?.throwIfAborted();

  const places = starting.use(await placeReplicas(options.replicas ?? 1, host, options.port));
  const [addresses] = places.addresses;
  // Who uses a platform that only this machine reaches may have it call this machine; see docs/webhooks.md.
  const webhooksReachUs = !env.WEBHOOK_ALLOWED_NETWORKS && isLoopback(host);
  const serviceEnv = {
    AMQP_PREFIX: 'claude_cli',
    // All replicas are of one version.
    AMQP_BUNDLES: 'true',
    ...env,
    ...(webhooksReachUs ? { WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8,::1/128' } : {}),
    HOST: host,
    DATA_DIR: dataDir.path,
    WORKSPACE_ROOT: workspaceRoot,
    MONGODB_URI: store.uri,
    AMQP_URL: broker.url,
    JWT_SECRET: secrets.jwtSecret,
    SERVICE_SECRET: secrets.serviceSecret,
    WEBHOOK_ENCRYPTION_KEY: secrets.webhookEncryptionKey,
    ADMIN_USERNAME: env.ADMIN_USERNAME || 'admin',
    ADMIN_PASSWORD: secrets.adminPassword,
    ...addressEnv(places.addresses, places.portOf('realtime')),
  };
  const events: ServiceEvents = {
    onLine,
    onGiveUp,
    onRestart: (name, why) => onLine(name, `${why}; starting it again`),
  };
  const services = new Map<ServiceName, Supervised[]>(
    serviceNames.map((name) => [
      name,
      places.addresses.map((each) => superviseService(name, each, serviceEnv, dataDir, events)),
    ]),
  );
  starting.use(await superviseAll([...services.values()].flat(), signal));
  const running = starting.move();

  const service = (name: ServiceName) => {
    const [found] = services.get(name) ?? [];
    if (!found) throw new Error(`no service ${name}`);
    return found;
  };
  return {
    url: `http://${reachable(host)}:${places.portOf('gateway')}`,
    adminUsername: serviceEnv.ADMIN_USERNAME,
    adminPassword: secrets.adminPassword,
    secrets,
    store: store.description,
    broker: broker.description,
    webhooksReachUs,
    failed: failure.promise,
    kill: (name, signalName = 'SIGKILL') => service(name).kill(signalName),
    pid: (name) => service(name).pid,
    ready: (name) => service(name).ready(),
    replicas: (name) =>
      (services.get(name) ?? []).map((process, place) => ({
        process,
        setInService: (inService) => places.setInService(name, place, inService),
      })),
    async replicate(name) {
      const replica = superviseService(name, await assignAddresses(0), serviceEnv, dataDir, events);
      running.use(await superviseAll([replica]));
      return replica;
    },
    metricsUrl: (name) =>
      `http://${reachable(name === 'gateway' ? host : '127.0.0.1')}:${addresses.admin[name]}/metrics`,
    stop: () => running.disposeAsync(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

function withSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  try {
    return readSecretFiles(env);
  } catch (thrown) {
    throw new SetupError((thrown as Error).message);
  }
}

function openWorkspaceRoot(env: NodeJS.ProcessEnv, dataDir: DataDir): string {
  if (!env.WORKSPACE_ROOT) {
    const own = join(dataDir.path, 'workspaces');
    mkdirSync(own, { recursive: true, mode: 0o700 });
    return own;
  }
  const named = resolve(env.WORKSPACE_ROOT);
  if (!statSync(named, { throwIfNoEntry: false })?.isDirectory()) {
    throw new SetupError(
      `WORKSPACE_ROOT names ${named}, which is not a directory: create it, or unset WORKSPACE_ROOT.`,
    );
  }
  return named;
}

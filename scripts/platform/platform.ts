import { mkdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type DataDir, openDataDir } from './data-dir.ts';
import { startInfrastructure } from './infrastructure.ts';
import { assertPortFree } from './ports.ts';
import { loadSecrets, type Secrets } from './secrets.ts';
import {
  addressEnv,
  assignAddresses,
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
  /** Rather a broker of our own than that of this machine. */
  preferPrivateBroker?: boolean;
  /** Progress, for people. */
  say?: (line: string) => void;
  /** What the services write. */
  onLine?: (source: string, line: string) => void;
  /** Ends a start that is under way. */
  signal?: AbortSignal;
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
  /** Settles with the reason when a part crashes again and again. The platform is then to be stopped. */
  failed: Promise<SetupError>;
  /** Send a signal, SIGKILL unless named, to one app, which is then started again. @returns the process id that it had */
  kill(service: ServiceName, signal?: NodeJS.Signals): number;
  pid(service: ServiceName): number | undefined;
  /** Resolves when the app works, again or still. */
  ready(service: ServiceName): Promise<void>;
  /** Start another replica of an app, on ports of its own. It ends with the platform, or when it is stopped. */
  replicate(service: ServiceName): Promise<Supervised>;
  /** Where Prometheus reads the metrics of an app. */
  metricsUrl(service: ServiceName): string;
  stop(): Promise<void>;
}

/** Start store, broker and all apps, and wait until they work. Whatever was started is stopped again when one fails. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { env, signal, say = () => {}, onLine = () => {} } = options;
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

  const addresses = await assignAddresses(options.port);
  const serviceEnv = {
    AMQP_PREFIX: 'claude_cli',
    ...env,
    HOST: host,
    DATA_DIR: dataDir.path,
    WORKSPACE_ROOT: workspaceRoot,
    MONGODB_URI: store.uri,
    AMQP_URL: broker.url,
    JWT_SECRET: secrets.jwtSecret,
    ADMIN_USERNAME: env.ADMIN_USERNAME || 'admin',
    ADMIN_PASSWORD: secrets.adminPassword,
    ...addressEnv(addresses),
  };
  const events: ServiceEvents = {
    onLine,
    onGiveUp,
    onRestart: (name, why) => onLine(name, `${why}; starting it again`),
  };
  const services = new Map<ServiceName, Supervised>(
    serviceNames.map((name) => [name, superviseService(name, addresses, serviceEnv, dataDir, events)]),
  );
  starting.use(await superviseAll([...services.values()], signal));
  const running = starting.move();

  const service = (name: ServiceName) => {
    const found = services.get(name);
    if (!found) throw new Error(`no service ${name}`);
    return found;
  };
  return {
    url: `http://${reachable(host)}:${addresses.gateway}`,
    adminUsername: serviceEnv.ADMIN_USERNAME,
    adminPassword: secrets.adminPassword,
    secrets,
    store: store.description,
    broker: broker.description,
    failed: failure.promise,
    kill: (name, signalName = 'SIGKILL') => service(name).kill(signalName),
    pid: (name) => service(name).pid,
    ready: (name) => service(name).ready(),
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

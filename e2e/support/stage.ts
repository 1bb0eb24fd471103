import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { openDataDir } from '../../scripts/platform/data-dir.ts';
import { startInfrastructure } from '../../scripts/platform/infrastructure.ts';
import type { Supervised } from '../../scripts/platform/supervised.ts';
import { makeTempDir } from '../../scripts/platform/temp-dir.ts';
import { Link } from './link.ts';
import { startPlatformOn, type TestPlatform } from './platform.ts';
import { Traffic } from './traffic.ts';

/** A platform that is to be broken, with everything that can be broken about it. */
export interface Stage extends TestPlatform {
  /** The embedded store; absent when MONGODB_URI was kept, which is somebody's. */
  store: Supervised | undefined;
  /** RabbitMQ; absent when it is somebody's. */
  broker: Supervised | undefined;
  /** What all services reach the broker by. */
  link: Link;
  /** What passes the broker. Its own connection does not use the link. */
  traffic: Traffic;
  /** A second command-runner, started by the first call. */
  secondRunner(): Promise<Supervised>;
}

/** How a stage is set up. */
export interface StageOptions {
  /** Environment variables of the services. */
  settings: Record<string, string>;
  /** Use the store and the broker that MONGODB_URI and AMQP_URL name, where they do, and leave their processes alone. */
  keepInfrastructure?: boolean;
}

/** Start a platform whose store and broker belong to it alone, unless they are to be kept. */
export async function setStage({ settings, keepInfrastructure = false }: StageOptions): Promise<Stage> {
  await using starting = new AsyncDisposableStack();
  const { MONGODB_URI: _store, AMQP_URL: _broker, ...env } = process.env;
  const dataDir = starting.use(await openDataDir(starting.use(makeTempDir()).path));
  const quiet = (line: string) => {
    if (process.env.E2E_LOG) process.stderr.write(`${line}\n`);
  };
  const { store, broker } = starting.use(
    await startInfrastructure({
      env: keepInfrastructure ? process.env : env,
      dataDir,
      preferPrivate: true,
      say: quiet,
      onLine: quiet,
      onGiveUp: ({ message }) => quiet(message),
    }),
  );
  const address = new URL(broker.url);
  const link = starting.use(await Link.to(address.hostname, Number(address.port) || 5672));
  const throughLink = new URL(broker.url);
  throughLink.hostname = '127.0.0.1';
  throughLink.port = String(link.port);

  const own = starting.use(testEnvironment({ MONGODB_URI: store.uri, AMQP_URL: broker.url }));
  const { MONGODB_URI = '', AMQP_PREFIX = '' } = own.env;
  const started = starting.use(
    await startPlatformOn({ ...settings, MONGODB_URI, AMQP_PREFIX, AMQP_URL: throughLink.href }),
  );
  const traffic = starting.use(await Traffic.watch(broker.url, AMQP_PREFIX));
  let second: Promise<Supervised> | undefined;
  const running = starting.move();
  return {
    ...started,
    store: store.part,
    broker: broker.part,
    link,
    traffic,
    secondRunner: () => (second ??= started.platform.replicate('command-runner')),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

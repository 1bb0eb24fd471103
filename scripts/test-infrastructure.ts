import { openDataDir } from './platform/data-dir.ts';
import { startInfrastructure } from './platform/infrastructure.ts';
import { makeTempDir } from './platform/temp-dir.ts';

/** Store and broker for tests. */
export interface TestInfrastructure extends AsyncDisposable {
  /** What the tests find them by. */
  env: { MONGODB_URI: string; AMQP_URL: string };
  /** Where they are, for people. */
  description: string;
}

/**
 * Those that the environment names, else ones with their data in a temporary directory.
 * @param options.preferPrivateBroker rather than one that runs on this machine, on which the tests would leave queues
 */
export async function startTestInfrastructure(options: {
  preferPrivateBroker: boolean;
  signal?: AbortSignal;
}): Promise<TestInfrastructure> {
  await using starting = new AsyncDisposableStack();
  const temp = starting.use(makeTempDir());
  const dataDir = starting.use(await openDataDir(temp.path));
  const { store, broker } = starting.use(
    await startInfrastructure({
      env: process.env,
      dataDir,
      preferPrivate: options.preferPrivateBroker,
      signal: options.signal,
      say: (line) => console.error(line),
      onLine: (line) => console.error(line),
      onGiveUp: (error) => console.error(error.message),
    }),
  );
  const running = starting.move();
  return {
    env: { MONGODB_URI: store.uri, AMQP_URL: broker.url },
    description: `${store.description}; ${broker.description}`,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

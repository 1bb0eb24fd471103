import { startTestPlatform, type TestPlatform } from './platform.ts';
import { type PlayedRunner, playRunner } from './played-runner.ts';

/** A platform whose executions are run by the test itself. */
export interface Played extends AsyncDisposable {
  platform: TestPlatform;
  runner: PlayedRunner;
}

/** Start a platform, and play its only runner. */
export async function startPlayed(): Promise<Played> {
  await using starting = new AsyncDisposableStack();
  const platform = starting.use(await startTestPlatform());
  const runner = starting.use(await playRunner(platform));
  const running = starting.move();
  return { platform, runner, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

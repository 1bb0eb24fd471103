import { taskService, timers } from '../service.ts';
import { startTestPlatform, type TestPlatform } from './platform.ts';
import { type PlayedRunner, playRunner } from './played-runner.ts';

/** A platform whose executions are run by the test itself. */
export interface Played extends AsyncDisposable {
  platform: TestPlatform;
  runner: PlayedRunner;
}

/** The service without what it looks after again and again: nothing happens that the test does not do. */
export const untimed = { ...taskService, runs: (taskService.runs ?? []).filter((run) => !timers.includes(run)) };

/** Start a platform, and play its only runner. */
export async function startPlayed(settings: Record<string, string> = {}, service = taskService): Promise<Played> {
  await using starting = new AsyncDisposableStack();
  const platform = starting.use(await startTestPlatform(settings, service));
  const runner = starting.use(await playRunner(platform));
  const running = starting.move();
  return { platform, runner, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

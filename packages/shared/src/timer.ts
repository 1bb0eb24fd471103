import { setTimeout } from 'node:timers/promises';
import type { Logger } from './logger.ts';

/** Do something again and again, with a pause after each run, until disposed. A run that throws is logged; the next one comes. */
export function every(pauseMs: number, what: string, run: () => Promise<void>, log: Logger): AsyncDisposable {
  const stop = new AbortController();
  const loop = (async () => {
    while (!stop.signal.aborted) {
      await setTimeout(pauseMs, undefined, { signal: stop.signal }).catch(() => {});
      if (stop.signal.aborted) return;
      await run().catch((err) => log.warn({ err }, `${what} failed`));
    }
  })();
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort();
      return loop;
    },
  };
}

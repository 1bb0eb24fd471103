import { setTimeout as delay } from 'node:timers/promises';

/** Ask until the answer is not undefined; undefined when the time is over or the signal aborts. */
export async function poll<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  options: { timeoutMs: number; intervalMs?: number; signal?: AbortSignal },
): Promise<T | undefined> {
  const deadline = Date.now() + options.timeoutMs;
  for (;;) {
    if (options.signal?.aborted) return undefined;
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() >= deadline) return undefined;
    await delay(options.intervalMs ?? 50);
  }
}

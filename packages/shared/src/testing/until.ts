import { setTimeout } from 'node:timers/promises';

/**
 * Wait until something holds.
 * @param check gives a value once it holds; undefined or false: not yet
 * @throws Error naming what was waited for when it does not hold within the time
 */
export async function until<Value>(
  what: string,
  check: () => Promise<Value | undefined | false> | Value | undefined | false,
  withinMs = 60_000,
): Promise<Value> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms in vain for ${what}`);
    await setTimeout(20);
  }
}

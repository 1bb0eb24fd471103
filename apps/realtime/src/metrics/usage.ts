/** How much was used of something up to a moment, and how much there was to use, in the same unit. */
export interface Reading {
  used: number;
  available: number;
}

/** What was used between two readings, in percent with two decimals; 0 when nothing was there to use. */
export function percentBetween(before: Reading, after: Reading): number {
  return percentOf({ used: after.used - before.used, available: after.available - before.available });
}

/** What is used, in percent with two decimals. */
export function percentOf({ used, available }: Reading): number {
  if (!(available > 0)) return 0;
  return Math.round(Math.min(1, Math.max(0, used / available)) * 10_000) / 100;
}

/** Bandwidth in `cpu.max` of a control group, as a number of processors; undefined for no limit. */
export function processorsIn(cpuMax: string): number | undefined {
  const [quota, period] = cpuMax.trim().split(' ').map(Number);
  return quota !== undefined && period !== undefined && quota > 0 && period > 0 ? quota / period : undefined;
}

/** A number out of a file of `name number` lines. */
export function fieldOf(text: string, name: string): number | undefined {
  const [, value] = new RegExp(`^${name} (\\d+)$`, 'm').exec(text) ?? [];
  return value === undefined ? undefined : Number(value);
}

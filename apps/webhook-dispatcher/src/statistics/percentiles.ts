import type { LatencyPercentiles } from '@claude-cli/proto/platform/v1/webhooks';

/** The distribution of values by nearest rank. */
export function percentilesOf(values: readonly number[]): LatencyPercentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1];
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

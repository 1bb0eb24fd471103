// Distributions of durations, in bins whose widths grow by a constant factor, so that histograms of any times can be added
// and a percentile is known within a constant share of its value. 430 bins reach from a millisecond to a month.

/** Each bin is this much wider than the one before. */
const growth = 1.05;
const logGrowth = Math.log(growth);
/** The highest bin; longer durations, beyond 11 weeks, count as this. */
const lastBin = 465;

/** Largest error of a percentile as a share of its value: half a bin, 2.5 %. */
export const relativeError = (growth - 1) / (growth + 1);

/** How many durations fell into each bin that has any: bin, count, bin, count, and so on, in ascending order. */
export type Histogram = number[];

/** Percentiles of a histogram, in milliseconds. */
export interface PercentilesMs {
  p50: number;
  p95: number;
  p99: number;
}

/** Counts durations. */
export class HistogramBuilder {
  readonly #counts = new Map<number, number>();

  /** Count a duration. Durations below a millisecond count as none at all. */
  add(milliseconds: number): void {
    this.#count(binOf(milliseconds), 1);
  }

  /** Count everything that another histogram counted. */
  addAll(histogram: Histogram): void {
    for (let i = 0; i < histogram.length; i += 2) this.#count(histogram[i] ?? 0, histogram[i + 1] ?? 0);
  }

  /** What was counted. */
  build(): Histogram {
    return [...this.#counts].sort(([a], [b]) => a - b).flat();
  }

  #count(bin: number, count: number): void {
    this.#counts.set(bin, (this.#counts.get(bin) ?? 0) + count);
  }
}

/** The values that 50, 95 and 99 of 100 durations do not exceed (nearest rank), within relativeError; undefined for none. */
export function percentilesOf(histogram: Histogram): PercentilesMs | undefined {
  let total = 0;
  for (let i = 1; i < histogram.length; i += 2) total += histogram[i] ?? 0;
  if (total === 0) return undefined;
  const at = (share: number) => {
    let left = Math.ceil(total * share);
    for (let i = 0; i < histogram.length; i += 2) {
      left -= histogram[i + 1] ?? 0;
      if (left <= 0) return middleOf(histogram[i] ?? 0);
    }
    return middleOf(lastBin);
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** Bin 0 holds what is below a millisecond; bin i what is above growth^(i-2) and at most growth^(i-1). */
function binOf(milliseconds: number): number {
  if (milliseconds < 1) return 0;
  return Math.min(lastBin, 1 + Math.ceil(Math.log(milliseconds) / logGrowth - 1e-9));
}

/** The value whose distance to both ends of the bin is the same share of them. */
function middleOf(bin: number): number {
  return bin === 0 ? 0 : (2 * growth ** (bin - 1)) / (growth + 1);
}

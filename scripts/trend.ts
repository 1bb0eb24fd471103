/** Least squares: how much a series of equal steps grows from its beginning to its end. */
export function growth(series: readonly number[]): number {
  const n = series.length;
  if (n < 2) return 0;
  const middle = (n - 1) / 2;
  const mean = series.reduce((sum, value) => sum + value, 0) / n;
  const products = series.reduce((sum, value, index) => sum + (index - middle) * (value - mean), 0);
  const squares = series.reduce((sum, _value, index) => sum + (index - middle) ** 2, 0);
  return (products / squares) * (n - 1);
}

/** The median of numbers; NaN of none. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]];
  return (low + high) / 2;
}

/**
 * Whether a series is flat: it grows by no more than a share of its median, or than so much. The first third is left out, in which
 * caches fill and code is compiled.
 */
export function isFlat(series: readonly number[], bound: { share: number; atLeast: number }): boolean {
  const settled = series.slice(Math.floor(series.length / 3));
  return growth(settled) <= Math.max(bound.atLeast, bound.share * median(settled));
}

import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** Metrics of this process, served at /metrics of the admin port. */
export const metrics = new Registry();
// Coarser than usual: each look wakes an idle process. A loop that nothing delays shows it as its lag.
collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: 50 });

/** Upper bounds of the buckets in which durations are counted, in seconds. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Upper bounds of the buckets in which times are counted that may be long, such as in queues, in seconds. */
export const waitBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600, 14_400];

/** One reading: the values of the labels, and the number. */
export type Reading<Label extends string> = readonly [labels: Partial<Record<Label, string>>, value: number];

/**
 * A gauge whose values are read when it is scraped, from all that are watched at that time; what several of them say under the
 * same labels is added up. So that scrapes are cheap, whatever is watched only looks at what it has in memory.
 */
export class WatchedGauge<Label extends string = never> {
  readonly #sources = new Set<() => Iterable<Reading<Label>>>();

  /** @param labelNames each with few values */
  constructor(name: string, help: string, labelNames: readonly Label[] = []) {
    const sources = this.#sources;
    new Gauge<Label>({
      name,
      help,
      labelNames,
      registers: [metrics],
      collect() {
        this.reset();
        for (const source of sources) for (const [labels, value] of source()) this.inc(labels, value);
      },
    });
  }

  /** Read something from now on, until disposed. */
  watch(read: () => Iterable<Reading<Label>>): AsyncDisposable {
    this.#sources.add(read);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#sources.delete(read);
      },
    };
  }
}

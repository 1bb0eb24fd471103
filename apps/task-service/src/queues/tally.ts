import type { RunMetrics } from '@claude-cli/proto/platform/v1/queues';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Execution } from '../executions/execution.ts';
import { type Histogram, HistogramBuilder, percentilesOf } from './histogram.ts';
import { byPriority } from './queue-name.ts';

/** What happened to the executions of one queue in one stretch of time. */
export interface Tally {
  /** Those that were queued in it. */
  queued: number;
  /** Those that ended in it. */
  completed: number;
  /** Failed or timed out. */
  failed: number;
  cancelled: number;
  /** Milliseconds that the latest attempts of completed and failed ones ran, in all. */
  run_ms: number;
  /** From being queued to the latest start, of all that had started when they ended. */
  wait: Histogram;
  /** From the latest start to the end, of the same. */
  run: Histogram;
}

/** A tally of each queue. */
export type QueueTallies = Record<Priority, Tally>;

/** What a tally needs to know of an execution that ended. */
export type Ended = Pick<Execution, 'priority' | 'status' | 'queued_at' | 'started_at' | 'finished_at'>;

/** Counts one queue. */
export class TallyBuilder {
  readonly #counts = { queued: 0, completed: 0, failed: 0, cancelled: 0, run_ms: 0 };
  readonly #wait = new HistogramBuilder();
  readonly #run = new HistogramBuilder();

  /** So many more were queued. */
  addQueued(count: number): void {
    this.#counts.queued += count;
  }

  /** One ended. */
  addEnded({ status, queued_at, started_at, finished_at }: Ended): void {
    const kind = status === 'completed' || status === 'cancelled' ? status : 'failed';
    this.#counts[kind]++;
    if (!started_at || !finished_at) return;
    const ran = Math.max(0, finished_at.getTime() - started_at.getTime());
    this.#wait.add(started_at.getTime() - queued_at.getTime());
    this.#run.add(ran);
    if (kind !== 'cancelled') this.#counts.run_ms += ran;
  }

  /** Everything that another tally counted. */
  addAll({ wait, run, ...counts }: Tally): void {
    for (const name of ['queued', 'completed', 'failed', 'cancelled', 'run_ms'] as const) {
      this.#counts[name] += counts[name];
    }
    this.#wait.addAll(wait);
    this.#run.addAll(run);
  }

  /** What was counted. */
  build(): Tally {
    return { ...this.#counts, wait: this.#wait.build(), run: this.#run.build() };
  }
}

/** Several stretches of time as one, by queue. */
export function sumOf(tallies: readonly QueueTallies[]): QueueTallies {
  return byPriority((priority) => {
    const sum = new TallyBuilder();
    for (const tally of tallies) sum.addAll(tally[priority]);
    return sum.build();
  });
}

/** All queues as one. */
export function totalOf(tallies: QueueTallies): Tally {
  const sum = new TallyBuilder();
  for (const priority of priorities) sum.addAll(tallies[priority]);
  return sum.build();
}

/** Completed ones as a share of those that were completed or failed, 0 to 1; undefined when there is none. */
export function successRate({ completed, failed }: Pick<Tally, 'completed' | 'failed'>): number | undefined {
  const ended = completed + failed;
  return ended === 0 ? undefined : Math.round((completed / ended) * 10_000) / 10_000;
}

/** A tally as the contract shows it. */
export function toProto(tally: Tally): RunMetrics {
  const { queued, completed, failed, cancelled, wait, run } = tally;
  return {
    queued,
    completed,
    failed,
    cancelled,
    success_rate: successRate(tally),
    wait_seconds: inSeconds(wait),
    run_seconds: inSeconds(run),
  };
}

function inSeconds(histogram: Histogram) {
  const { p50, p95, p99 } = percentilesOf(histogram) ?? {};
  const seconds = (ms: number | undefined) => (ms === undefined ? undefined : Math.round(ms) / 1000);
  return { p50: seconds(p50), p95: seconds(p95), p99: seconds(p99) };
}

import type { QueueServiceService } from '@claude-cli/proto/platform/v1/queues';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Logger } from '@claude-cli/shared/logger';
import { Recent } from '@claude-cli/shared/recent';
import type { Connections } from '../connections/connections.ts';
import { dataMessage, type Encoded } from '../messages/encoded.ts';
import type { Hub } from '../subscriptions/hub.ts';
import { allQueues, type Target, topicOf } from '../subscriptions/subscription.ts';
import { Machine } from './machine.ts';
import { measure, type PerformanceData } from './performance.ts';
import { askQueues, narrowed, type QueuesTold, queueNames } from './queue-status.ts';

/** What is measured, and told. */
export interface MetricsParts {
  hub: Hub;
  connections: Connections;
  queues: RpcClient<typeof QueueServiceService>;
  log: Logger;
}

/** How long one look serves all who ask, in milliseconds. */
const recent = { freshMs: 1_000, usableMs: 1_000, max: 1 };

/**
 * How the platform is doing, for the channels that tell a state: looked at once for all who listen to this process, and
 * only while somebody does.
 */
export class LiveMetrics {
  readonly #parts: MetricsParts;
  readonly #machine = new Machine();
  readonly #performance = new Recent<PerformanceData>(recent);
  readonly #queues = new Recent<QueuesTold>(recent);
  /** When each interval that somebody listens to, in seconds, is due. */
  readonly #due = new Map<number, number>();
  /** The latest looks, and what was told of the queues. */
  #latest: { performance?: PerformanceData; queues?: QueuesTold } = {};
  readonly #told = new Map<string, string>();
  #away = false;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
  }

  /** How this process and the load of the platform are now. @throws PlatformError when task-service cannot tell */
  performance(): Promise<PerformanceData> {
    return this.#performance.get('now', () => this.#lookAtPerformance());
  }

  /** How the queues are now. @throws PlatformError when task-service cannot tell */
  queues(): Promise<QueuesTold> {
    return this.#queues.get('now', () => this.#lookAtQueues());
  }

  /** Make sure that there is something to tell of a target. @throws PlatformError when there is not */
  async prepare({ channel }: Target): Promise<void> {
    await (channel === 'performance_data' ? this.performance() : this.queues());
  }

  /** Somebody listens to a target from now on. @returns how things are, as the latest look has it */
  begin(target: Target): Encoded[] {
    const { performance, queues } = this.#latest;
    if (target.channel === 'queue_status') return queues ? [queuesMessage(queues, target.id)] : [];
    const interval = Number(target.id);
    if (!this.#due.has(interval)) this.#due.set(interval, Date.now() + interval * 1_000);
    return performance ? [performanceMessage(performance)] : [];
  }

  /** Look, and tell whom it is time to tell. Never rejects. */
  async tick(): Promise<void> {
    const intervals = this.#intervalsDue();
    const heard = [allQueues, ...queueNames].filter((name) => this.#parts.hub.isHeard(queueTopic(name)));
    const looks = [
      ...(intervals.length > 0 ? [this.#tellPerformance(intervals)] : []),
      ...(heard.length > 0 ? [this.#tellQueues(heard)] : []),
    ];
    for (const name of this.#told.keys()) if (!heard.includes(name)) this.#told.delete(name);
    try {
      await Promise.all(looks);
      this.#away = false;
    } catch (err) {
      if (!this.#away) this.#parts.log.warn({ err }, 'how things are cannot be told for now');
      this.#away = true;
    }
  }

  /** The intervals at which somebody is to be told now. Those that nobody listens to any more are forgotten. */
  #intervalsDue(): number[] {
    const now = Date.now();
    const due: number[] = [];
    for (const [interval, at] of this.#due) {
      if (!this.#parts.hub.isHeard(performanceTopic(interval))) {
        this.#due.delete(interval);
      } else if (at <= now) {
        due.push(interval);
        this.#due.set(interval, Math.max(at + interval * 1_000, now));
      }
    }
    return due;
  }

  async #tellPerformance(intervals: readonly number[]): Promise<void> {
    const message = performanceMessage(await this.#lookAtPerformance());
    this.#parts.hub.publish(intervals.map(performanceTopic), () => [message]);
  }

  async #tellQueues(names: readonly string[]): Promise<void> {
    const status = await this.#lookAtQueues();
    for (const name of names) {
      const text = JSON.stringify(narrowed(status, name));
      if (this.#told.get(name) === text) continue;
      this.#told.set(name, text);
      this.#parts.hub.publish([queueTopic(name)], () => [queuesMessage(status, name)]);
    }
  }

  async #lookAtPerformance(): Promise<PerformanceData> {
    const seen = await measure({ ...this.#parts, machine: this.#machine });
    this.#latest.performance = seen;
    this.#performance.set('now', seen, 0);
    return seen;
  }

  async #lookAtQueues(): Promise<QueuesTold> {
    const seen = await askQueues(this.#parts.queues);
    this.#latest.queues = seen;
    this.#queues.set('now', seen, 0);
    return seen;
  }
}

function performanceTopic(interval: number): string {
  return topicOf({ channel: 'performance_data', field: 'interval', id: String(interval) });
}

function queueTopic(name: string): string {
  return topicOf({ channel: 'queue_status', field: 'queue_name', id: name });
}

function performanceMessage(seen: PerformanceData): Encoded {
  return dataMessage('performance_data', seen);
}

function queuesMessage(status: QueuesTold, name: string): Encoded {
  return dataMessage('queue_status', narrowed(status, name));
}

import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Encoded } from '../messages/encoded.ts';
import { type Subscription, topicOf } from './subscription.ts';

/** Someone who hears messages, behind whatever door. */
export interface Subscriber {
  /** Who listens. */
  readonly origin: Origin;
  readonly closed: boolean;
  /** Never throws and never waits. */
  send(message: Encoded): void;
}

/** Who is to hear what. */
export class Hub {
  readonly #audiences = new Map<string, Set<Subscriber>>();
  readonly #subscriptions = new Map<Subscriber, Map<string, Subscription>>();

  /** Let a subscriber hear a topic. */
  add(subscriber: Subscriber, subscription: Subscription): void {
    const topic = topicOf(subscription);
    this.#audiences.set(topic, (this.#audiences.get(topic) ?? new Set()).add(subscriber));
    const own = this.#subscriptions.get(subscriber) ?? new Map<string, Subscription>();
    this.#subscriptions.set(subscriber, own.set(topic, subscription));
  }

  /** The opposite. @returns the subscription that ended, when there was one */
  remove(subscriber: Subscriber, topic: string): Subscription | undefined {
    const own = this.#subscriptions.get(subscriber);
    const subscription = own?.get(topic);
    if (!own || !subscription) return undefined;
    own.delete(topic);
    if (own.size === 0) this.#subscriptions.delete(subscriber);
    const audience = this.#audiences.get(topic);
    audience?.delete(subscriber);
    if (audience?.size === 0) this.#audiences.delete(topic);
    return subscription;
  }

  /** What a subscriber hears, oldest first. */
  subscriptionsOf(subscriber: Subscriber): Subscription[] {
    return [...(this.#subscriptions.get(subscriber)?.values() ?? [])];
  }

  /** What a subscriber hears under a topic. */
  find(subscriber: Subscriber, topic: string): Subscription | undefined {
    return this.#subscriptions.get(subscriber)?.get(topic);
  }

  /** Everybody who hears anything. */
  subscribers(): Subscriber[] {
    return [...this.#subscriptions.keys()];
  }

  /**
   * Send messages to all who hear one of the topics, once to each.
   * @param messages asked for only when somebody listens
   */
  publish(topics: readonly string[], messages: () => readonly Encoded[]): void {
    const audiences = topics.flatMap((topic) => this.#audiences.get(topic) ?? []);
    const [first, ...others] = audiences;
    if (!first) return;
    const everybody = others.reduce((all, audience) => all.union(audience), first);
    const encoded = messages();
    for (const subscriber of everybody) for (const message of encoded) subscriber.send(message);
  }
}

import type { PlatformError } from '@claude-cli/shared/errors';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import type { Encoded } from '../messages/encoded.ts';
import type { Stream } from '../streams/stream.ts';
import { type Subscription, topicOf } from './subscription.ts';

/** Someone who hears messages, behind whatever door. */
export interface Subscriber {
  /** Who listens. */
  readonly origin: Origin;
  readonly closed: boolean;
  /** Never throws and never waits. What cannot be passed on yet is kept within a bound. */
  send(message: Encoded): void;
  /** Resolves when most of what was sent is on its way, so that more may be sent, or when the subscriber is closed. Never rejects. */
  drained(): Promise<void>;
  /** Kinds of notifications that it leaves out. */
  unwanted?: ReadonlySet<string>;
  /** It has lost the last of its subscriptions, by this error. */
  bereft?(error: PlatformError): void;
}

/** A subscription of a subscriber, from the moment at which it is granted until it ends. */
export class Listening {
  readonly subscriber: Subscriber;
  readonly subscription: Subscription;
  readonly topic: string;
  /** What it follows; undefined for what has no numbers of its own, such as output of all commands of a project. */
  readonly stream: Stream | undefined;
  /** Heard from the message after this one on. */
  from: number;
  /** How far it has come while it hears what it missed; once it is live, its stream knows. */
  caughtUpTo: number;
  /** Whether it hears what happens now. */
  live = false;
  ended = false;
  /** Who is told when it is live, from when it was started. */
  readonly whenLive: (() => void)[] = [];

  constructor(subscriber: Subscriber, subscription: Subscription, stream: Stream | undefined, from: number) {
    this.subscriber = subscriber;
    this.subscription = subscription;
    this.topic = topicOf(subscription);
    this.stream = stream;
    this.from = from;
    this.caughtUpTo = from;
  }

  /** Its stream begins anew. */
  restart(): void {
    this.from = 0;
    this.caughtUpTo = 0;
  }

  /** Whether it has passed on the message with this number of its stream, if it hears of such messages at all. */
  covers(seq: number): boolean {
    const to = this.live ? (this.stream?.last ?? 0) : this.caughtUpTo;
    return this.from < seq && seq <= to;
  }
}

/** Who is to hear what. Knows of no transport: whoever can be sent messages can subscribe. */
export class Hub {
  readonly #audiences = new Map<string, Set<Listening>>();
  readonly #held = new Map<Subscriber, Map<string, Listening>>();

  /** Remember a subscription. It is not heard yet. */
  add(listening: Listening): void {
    const own = this.#held.get(listening.subscriber) ?? new Map<string, Listening>();
    this.#held.set(listening.subscriber, own.set(listening.topic, listening));
  }

  /** From now on it hears what is published. */
  attach(listening: Listening): void {
    if (listening.ended) return;
    listening.live = true;
    this.#audiences.set(listening.topic, (this.#audiences.get(listening.topic) ?? new Set()).add(listening));
  }

  /** End a subscription. @returns the one that ended, when there was one */
  remove(subscriber: Subscriber, topic: string): Listening | undefined {
    const own = this.#held.get(subscriber);
    const listening = own?.get(topic);
    if (!own || !listening) return undefined;
    listening.ended = true;
    own.delete(topic);
    if (own.size === 0) this.#held.delete(subscriber);
    const audience = this.#audiences.get(topic);
    audience?.delete(listening);
    if (audience?.size === 0) this.#audiences.delete(topic);
    return listening;
  }

  /** The subscriptions of a subscriber, oldest first. */
  of(subscriber: Subscriber): Listening[] {
    return [...(this.#held.get(subscriber)?.values() ?? [])];
  }

  /** The subscription of a subscriber to a topic. */
  find(subscriber: Subscriber, topic: string): Listening | undefined {
    return this.#held.get(subscriber)?.get(topic);
  }

  /** All subscriptions that follow a stream. */
  following(stream: Stream): Listening[] {
    return this.subscribers().flatMap((subscriber) => this.of(subscriber).filter((held) => held.stream === stream));
  }

  /** Everybody who has subscribed to anything. */
  subscribers(): Subscriber[] {
    return [...this.#held.keys()];
  }

  /** Whether anybody hears a topic now. */
  isHeard(topic: string): boolean {
    return this.#audiences.has(topic);
  }

  /** All who hear one of the topics now, each once. */
  audience(topics: readonly string[]): Iterable<Subscriber> {
    const heard = topics.flatMap((topic) => this.#audiences.get(topic) ?? []);
    const [only, ...others] = heard;
    if (!only) return [];
    if (others.length === 0) return subscribersIn(only);
    return new Set(heard.flatMap((audience) => [...subscribersIn(audience)]));
  }

  /**
   * Send messages to all who hear one of the topics, once to each.
   * @param messages asked for only when somebody listens
   * @param except who has subscribed to this topic hears them by that subscription, now or when it has caught up
   */
  publish(topics: readonly string[], messages: () => readonly Encoded[], except?: string): void {
    let encoded: readonly Encoded[] | undefined;
    for (const subscriber of this.audience(topics)) {
      if (except !== undefined && this.#held.get(subscriber)?.has(except)) continue;
      encoded ??= messages();
      for (const message of encoded) subscriber.send(message);
    }
  }
}

function* subscribersIn(audience: Set<Listening>): Generator<Subscriber> {
  for (const { subscriber } of audience) yield subscriber;
}

import { partsOf } from '@claude-cli/shared/amqp/bundle';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { type Binding, nameOf } from './binding.ts';
import { References } from './references.ts';

type Channel = Parameters<Parameters<Bus['openChannel']>[0]>[0];
type Delivery = NonNullable<Parameters<Parameters<Channel['consume']>[1]>[0]>;

/** One life of the channel: its queue, and what that is bound to. */
interface Life {
  channel: Channel;
  queue: string;
  bound: Map<string, Promise<unknown>>;
}

/** An event with its numbers, as the sequencer passes it on. */
export interface NumberedEvent {
  epoch: string;
  seq: number;
  count: number;
  event: AnyEvent;
}

/** Who is told what arrives. */
export interface FeedListener {
  log: Logger;
  /** An event as it was told. Must not wait: messages are handled one after the other. */
  onEvent(event: AnyEvent): void;
  /** A numbered event of a scope. Must not wait, either. */
  onNumbered(scope: string, numbered: NumberedEvent): void;
  /** The broker, or the channel to it, was away. What this returns is called when everything is bound again. */
  onReconnect(): () => void;
}

// Messages are taken without acknowledgement and handled at once, so a process that is slow stops reading its socket and
// they wait at the broker, in a queue that is bounded too: the oldest give way.
const queueOptions = {
  exclusive: true,
  autoDelete: true,
  arguments: { 'x-max-length': 100_000, 'x-max-length-bytes': 67_108_864 },
};

/** Pause before a binding is tried again on the next life of the channel, in milliseconds. */
const retryMs = 50;

/** What the broker sends to this process: one queue of its own, bound to just what somebody wants. */
export class Feed {
  readonly #bus: Bus;
  readonly #bindMs: number;
  readonly #wanted = new References();
  readonly #bindings = new Map<string, Binding>();
  #life: Life | undefined;
  #lives = 0;

  /** @param bindMs how long the broker may take to confirm a binding */
  constructor(bus: Bus, bindMs: number) {
    this.#bus = bus;
    this.#bindMs = bindMs;
  }

  /** Whether the broker sends now. */
  get connected(): boolean {
    return this.#life !== undefined;
  }

  /** Begin to consume. */
  open(listener: FeedListener): Promise<AsyncDisposable> {
    return this.#bus.openChannel(async (channel) => {
      const { queue } = await channel.assertQueue('', queueOptions);
      const life: Life = { channel, queue, bound: new Map() };
      channel.once('close', () => {
        if (this.#life === life) this.#life = undefined;
      });
      const whenBound = this.#lives > 0 ? listener.onReconnect() : undefined;
      // From here on new wishes are bound as they come; those that are older are bound below.
      this.#life = life;
      await Promise.all([...this.#bindings.values()].map((binding) => this.#bind(life, binding)));
      await channel.consume(queue, (delivery) => this.#receive(channel, delivery, listener), { noAck: true });
      this.#lives += 1;
      whenBound?.();
    });
  }

  /**
   * Have messages sent. Resolves when the broker has confirmed, so that nothing later is missed.
   * @throws PlatformError SERVICE_UNAVAILABLE when it does not in time
   */
  async want(bindings: readonly Binding[]): Promise<void> {
    for (const binding of bindings) {
      this.#wanted.add(nameOf(binding));
      this.#bindings.set(nameOf(binding), binding);
    }
    const until = Date.now() + this.#bindMs;
    try {
      await Promise.all(bindings.map((binding) => this.#bindUntil(binding, until)));
    } catch (thrown) {
      await this.unwant(bindings);
      throw thrown;
    }
  }

  /** Take back as many wishes. What nobody else wants is unbound. @returns what that is */
  async unwant(bindings: readonly Binding[]): Promise<Binding[]> {
    const unwanted = bindings.filter((binding) => this.#wanted.drop(nameOf(binding)));
    await Promise.all(unwanted.map((binding) => this.#unbind(binding)));
    return unwanted;
  }

  async #bindUntil(binding: Binding, until: number): Promise<void> {
    while (Date.now() < until) {
      const life = this.#life;
      // A life that ended meanwhile has taken its bindings with it.
      if (life && (await inTime(this.#bind(life, binding), until)) && life === this.#life) return;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    throw new PlatformError('SERVICE_UNAVAILABLE', 'The broker cannot be reached', { service: 'broker' });
  }

  #bind({ channel, queue, bound }: Life, wanted: Binding): Promise<unknown> {
    const known = bound.get(nameOf(wanted));
    if (known) return known;
    const binding = (async () => channel.bindQueue(queue, this.#bus.names[wanted.exchange], wanted.pattern))();
    bound.set(nameOf(wanted), binding);
    return binding;
  }

  async #unbind(binding: Binding): Promise<void> {
    this.#bindings.delete(nameOf(binding));
    const life = this.#life;
    if (!life?.bound.delete(nameOf(binding))) return;
    try {
      await life.channel.unbindQueue(life.queue, this.#bus.names[binding.exchange], binding.pattern);
    } catch {
      // The channel is gone, and the queue with it.
    }
  }

  #receive(channel: Channel, delivery: Delivery | null, { log, onEvent, onNumbered }: FeedListener): void {
    // The broker took the queue away; a closed channel is opened again, with a new queue.
    if (!delivery) return void channel.close().catch(() => {});
    const { exchange, routingKey } = delivery.fields;
    try {
      const isNumbered = exchange === this.#bus.names.live;
      for (const { body } of partsOf(delivery)) {
        if (isNumbered) onNumbered(routingKey, body as NumberedEvent);
        else onEvent(body as AnyEvent);
      }
    } catch (err) {
      log.error({ err }, 'an event could not be passed on');
    }
  }
}

/** Whether something succeeds before a time. */
async function inTime(work: Promise<unknown>, until: number): Promise<boolean> {
  const timeout = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => timeout.resolve(false), until - Date.now());
  const done = work.then(
    () => true,
    () => false,
  );
  return Promise.race([done, timeout.promise]).finally(() => clearTimeout(timer));
}

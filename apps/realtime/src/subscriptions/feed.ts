import type { Bus } from '@claude-cli/shared/amqp/bus';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import { References } from './references.ts';

type Channel = Parameters<Parameters<Bus['openChannel']>[0]>[0];

/** One life of the channel: its queue, and what that is bound to. */
interface Life {
  channel: Channel;
  queue: string;
  bound: Map<string, Promise<unknown>>;
}

/** Who is told what arrives. */
export interface FeedListener {
  log: Logger;
  /** Must not wait: messages are handled one after the other. */
  onEvent(event: AnyEvent): void;
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

/** What the broker sends to this process: one queue of its own, bound to just the routing patterns that somebody wants. */
export class Feed {
  readonly #bus: Bus;
  readonly #bindMs: number;
  readonly #wanted = new References();
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
      await Promise.all(this.#wanted.names().map((pattern) => this.#bind(life, pattern)));
      await channel.consume(queue, (delivery) => receive(channel, delivery?.content, listener), { noAck: true });
      this.#lives += 1;
      whenBound?.();
    });
  }

  /**
   * Have messages sent that match the patterns. Resolves when the broker has confirmed, so that nothing later is missed.
   * @throws PlatformError SERVICE_UNAVAILABLE when it does not in time
   */
  async want(patterns: readonly string[]): Promise<void> {
    for (const pattern of patterns) this.#wanted.add(pattern);
    const until = Date.now() + this.#bindMs;
    try {
      await Promise.all(patterns.map((pattern) => this.#bindUntil(pattern, until)));
    } catch (thrown) {
      await this.unwant(patterns);
      throw thrown;
    }
  }

  /** Take back as many wishes. Patterns that nobody else wants are unbound. */
  async unwant(patterns: readonly string[]): Promise<void> {
    await Promise.all(patterns.filter((pattern) => this.#wanted.drop(pattern)).map((pattern) => this.#unbind(pattern)));
  }

  async #bindUntil(pattern: string, until: number): Promise<void> {
    while (Date.now() < until) {
      const life = this.#life;
      // A life that ended meanwhile has taken its bindings with it.
      if (life && (await inTime(this.#bind(life, pattern), until)) && life === this.#life) return;
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
    throw new PlatformError('SERVICE_UNAVAILABLE', 'The broker cannot be reached', { service: 'broker' });
  }

  #bind({ channel, queue, bound }: Life, pattern: string): Promise<unknown> {
    const known = bound.get(pattern);
    if (known) return known;
    const binding = (async () => channel.bindQueue(queue, this.#bus.names.events, pattern))();
    bound.set(pattern, binding);
    return binding;
  }

  async #unbind(pattern: string): Promise<void> {
    const life = this.#life;
    if (!life?.bound.delete(pattern)) return;
    try {
      await life.channel.unbindQueue(life.queue, this.#bus.names.events, pattern);
    } catch {
      // The channel is gone, and the queue with it.
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

function receive(channel: Channel, content: Buffer | undefined, { log, onEvent }: FeedListener): void {
  // The broker took the queue away; a closed channel is opened again, with a new queue.
  if (!content) return void channel.close().catch(() => {});
  try {
    onEvent(JSON.parse(content.toString()));
  } catch (err) {
    log.error({ err }, 'an event could not be passed on');
  }
}

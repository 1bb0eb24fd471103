import { setTimeout } from 'node:timers/promises';
import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { declareTopology, type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { claimExecution } from './claim.ts';
import { runExecution } from './run-execution.ts';
import { WeightedOrder } from './weighted-order.ts';

type Channel = NonNullable<KeptChannel['current']>;
type Delivery = Parameters<Channel['ack']>[0];

/** Pauses before a token whose claim failed is given back, in milliseconds. */
const retry = { firstMs: 100, mostMs: 5_000 };

/**
 * Takes executions, never more than there are free slots. A message in the queue of a priority is a token: something of that
 * priority may run; which execution, task-service decides when it is asked.
 *
 *   full ──slot free──▶ asking ──all queues empty──▶ waiting
 *     ▲                  │  ▲ (taken, slots left)       │
 *     └──── no slot ─────┘──┘◀───────── no slot ────────┘
 *
 * Asking takes single tokens in weighted order. Waiting has a consumer on each queue, which the broker serves within a
 * millisecond. Full holds no token at all, so that other runners can have them.
 */
export class Intake implements AsyncDisposable {
  readonly #ctx: Context;
  readonly #order = new WeightedOrder();
  readonly #stop = new AbortController();
  readonly #taking = new Set<Promise<void>>();
  #failures = 0;
  #kept: KeptChannel | undefined;

  private constructor(ctx: Context) {
    this.#ctx = ctx;
  }

  /** Start taking executions. */
  static async start(ctx: Context): Promise<Intake> {
    const intake = new Intake(ctx);
    intake.#kept = await ctx.bus.openChannel(async (channel) => {
      // Queues that were deleted while the connection held are declared again with the channel.
      await declareTopology(channel, ctx.bus.names);
      await channel.prefetch(1);
      void intake.#work(channel);
    });
    return intake;
  }

  /** Take no more; what is being claimed is settled, what runs goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#taking);
    await this.#kept?.[Symbol.asyncDispose]();
  }

  async #work(channel: Channel): Promise<void> {
    const closed = new AbortController();
    channel.once('close', () => closed.abort());
    const over = AbortSignal.any([closed.signal, this.#stop.signal]);
    try {
      while (!over.aborted) {
        await this.#ctx.executionSlots.whenFree(over);
        if (over.aborted) return;
        if (!(await this.#ask(channel))) await this.#wait(channel, over);
      }
    } catch (err) {
      if (over.aborted) return;
      this.#ctx.log.warn({ err }, 'taking executions failed, the channel is opened again');
      await channel.close().catch(() => {});
    }
  }

  /** Take one token from the queue whose turn it is. False when all are empty. */
  async #ask(channel: Channel): Promise<boolean> {
    for (const priority of this.#order.next()) {
      const delivery = await channel.get(this.#queue(priority));
      if (!delivery) continue;
      this.#order.took(priority);
      this.#take(channel, delivery, priority);
      return true;
    }
    return false;
  }

  /** Let the broker deliver until there is no slot left. */
  async #wait(channel: Channel, over: AbortSignal): Promise<void> {
    if (over.aborted) return;
    const { promise: full, resolve } = Promise.withResolvers<void>();
    const leave = () => resolve();
    over.addEventListener('abort', leave, { once: true });
    const consumers = priorities.map((priority) =>
      channel.consume(this.#queue(priority), (delivery) => {
        if (delivery === null) void channel.close().catch(() => {});
        else this.#take(channel, delivery, priority);
        if (this.#ctx.executionSlots.free === 0) leave();
      }),
    );
    const tags = await Promise.all(consumers);
    if (this.#ctx.executionSlots.free > 0) await full;
    over.removeEventListener('abort', leave);
    await Promise.all(tags.map(({ consumerTag }) => channel.cancel(consumerTag)));
  }

  #queue(priority: Priority): string {
    return this.#ctx.bus.names.executionQueue(priority);
  }

  #take(channel: Channel, delivery: Delivery, priority: Priority): void {
    const release = this.#stop.signal.aborted ? undefined : this.#ctx.executionSlots.take();
    if (!release) {
      settle(() => channel.nack(delivery, false, true));
      return;
    }
    const taking = this.#claim(channel, delivery, priority, release).finally(() => this.#taking.delete(taking));
    this.#taking.add(taking);
  }

  /** Claim and acknowledge; then the lease guards the run, not the broker. */
  async #claim(channel: Channel, delivery: Delivery, priority: Priority, release: () => void): Promise<void> {
    try {
      const claim = await claimExecution(this.#ctx, priority, this.#stop.signal);
      this.#failures = 0;
      settle(() => channel.ack(delivery));
      if (claim) void runExecution(this.#ctx, claim).finally(release);
      else release();
    } catch (err) {
      const pause = Math.min(retry.mostMs, retry.firstMs * 2 ** Math.min(10, this.#failures++));
      this.#ctx.log.warn({ err, priority, pause_ms: pause }, 'no execution can be claimed now');
      await setTimeout(pause, undefined, { signal: this.#stop.signal }).catch(() => {});
      settle(() => channel.nack(delivery, false, true));
      release();
    }
  }
}

/** A channel that was closed meanwhile has given its tokens back already. */
function settle(answer: () => void): void {
  try {
    answer();
  } catch {
    // Nothing to settle.
  }
}

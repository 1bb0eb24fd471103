import { setTimeout as delay } from 'node:timers/promises';
import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { declareTopology, type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { Backlog } from './backlog.ts';
import { Claims, doubtMs } from './claim.ts';
import type { Lease } from './lease.ts';
import { runExecution } from './run-execution.ts';
import { Vacancies } from './vacancies.ts';
import { WeightedOrder } from './weighted-order.ts';

type Channel = NonNullable<KeptChannel['current']>;
type Delivery = Parameters<Channel['ack']>[0];

/** Pauses before a token whose claim failed is given back, in milliseconds. */
const retry = { firstMs: 100, mostMs: 5_000 };

/** For how much of the grace period questions that were not answered are asked on when it stops: they may have been granted. */
const lastAnswersShare = 0.2;

/** After so many channels in a row that ended while the same queue was read, the queue is taken to be lost. */
const lostAfter = 3;

/** For how long a queue that was empty is not asked again while there is something in others, in milliseconds. */
const emptyMs = 100;

/** What lets a slot ask for an execution. */
interface Token {
  /** It is used up. */
  settle(): void;
  /** Others may have it. */
  giveBack(): void;
}

/** Where there is a backlog. */
const noToken: Token = { settle: () => {}, giveBack: () => {} };

/**
 * Takes executions, never more than there are free slots. A message in the queue of a priority is a token: something of that
 * priority may run; which execution, task-service decides when it is asked. While it answers that there is a backlog of a priority,
 * slots ask for that without tokens.
 *
 *   full ──slot free──▶ asking ──all queues empty──▶ waiting
 *     ▲                  │  ▲ (taken, slots left)       │
 *     └──── no slot ─────┘──┘◀───────── no slot ────────┘
 *
 * Asking takes one after the other in weighted order. Waiting has a consumer on each queue, which the broker serves within a
 * millisecond, with tokens for half of the slots before the first is claimed; and free slots wait at task-service as well, which
 * needs no token for what it gives them. Full holds no token at all, so that other runners can have them.
 */
export class Intake implements AsyncDisposable {
  readonly #ctx: Context;
  readonly #order = new WeightedOrder();
  readonly #backlog = new Backlog();
  readonly #stop = new AbortController();
  readonly #askNoMore = new AbortController();
  readonly #claims: Claims;
  readonly #vacancies: Vacancies;
  readonly #taking = new Set<Promise<void>>();
  /** The queue at whose reading the channel ended last, and how often in a row. */
  #suspect: { priority: Priority; times: number } | undefined;
  #emptyUntil: Partial<Record<Priority, number>> = {};
  #failures = 0;
  /** Ends the present waiting. */
  #leave: (() => void) | undefined;
  #kept: KeptChannel | undefined;

  private constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#claims = new Claims(ctx, this.#askNoMore.signal);
    this.#vacancies = new Vacancies(ctx, (lease, release) => {
      this.#track(this.#begin(lease, release));
      this.#leaveWhenFull();
    });
  }

  /** Start taking executions. */
  static async start(ctx: Context): Promise<Intake> {
    const intake = new Intake(ctx);
    intake.#kept = await ctx.bus.openChannel(async (channel) => {
      await intake.#dropLost(channel);
      // Queues that were deleted while the connection held are declared again with the channel.
      await declareTopology(channel, ctx.bus.names);
      await channel.prefetch(Math.max(1, Math.floor(ctx.config.RUNNER_CONCURRENCY / 2)));
      void intake.#work(channel);
    });
    return intake;
  }

  /** Take no more; what is being claimed is settled and has begun, what runs goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    const forMs = lastAnswersShare * this.#ctx.config.SHUTDOWN_GRACE_MS;
    const until = performance.now() + forMs;
    const timer = setTimeout(() => this.#askNoMore.abort(), forMs);
    await Promise.all([this.#vacancies.endCalls(), ...this.#taking]);
    clearTimeout(timer);
    await this.#vacancies.settle(until);
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

  /** Have a slot ask for something of the priority whose turn it is. False when there is nothing to ask for. */
  async #ask(channel: Channel): Promise<boolean> {
    for (const priority of this.#order.next()) {
      const token = this.#backlog.has(priority) ? noToken : await this.#getToken(channel, priority);
      if (!token) continue;
      this.#order.took(priority);
      if (!this.#take(token, priority)) token.giveBack();
      return true;
    }
    return false;
  }

  async #getToken(channel: Channel, priority: Priority): Promise<Token | undefined> {
    if ((this.#emptyUntil[priority] ?? 0) > performance.now()) return undefined;
    const delivery = await this.#get(channel, priority);
    if (delivery) return tokenOf(channel, delivery);
    this.#emptyUntil[priority] = performance.now() + emptyMs;
    return undefined;
  }

  async #get(channel: Channel, priority: Priority): Promise<Delivery | false> {
    const suspect = this.#suspect?.priority === priority ? this.#suspect : undefined;
    try {
      const delivery = await channel.get(this.#queue(priority));
      if (suspect) this.#suspect = undefined;
      return delivery;
    } catch (err) {
      this.#suspect = { priority, times: (suspect?.times ?? 0) + 1 };
      throw err;
    }
  }

  /**
   * A broker that is killed while it makes a quorum queue may know it afterwards without having it: declaring it succeeds, and
   * reading it ends the connection ("noproc"), for good. The tokens in it say nothing that is not said again, so it is made anew.
   */
  async #dropLost(channel: Channel): Promise<void> {
    const { priority, times } = this.#suspect ?? { times: 0 };
    if (!priority || times < lostAfter) return;
    this.#suspect = undefined;
    this.#ctx.log.error({ priority }, 'a queue of executions cannot be read, it is made anew');
    await channel.deleteQueue(this.#queue(priority));
  }

  /** Let the broker deliver until there is no slot left, or a backlog. */
  async #wait(channel: Channel, over: AbortSignal): Promise<void> {
    if (over.aborted) return;
    const { promise: full, resolve } = Promise.withResolvers<void>();
    const leave = () => resolve();
    this.#leave = leave;
    this.#vacancies.open();
    // Kept until nothing more is delivered: given back before, they would come again at once.
    const tooMany: { token: Token; priority: Priority }[] = [];
    over.addEventListener('abort', leave, { once: true });
    const consumers = priorities.map((priority) =>
      channel.consume(this.#queue(priority), (delivery) => {
        if (delivery === null) return void channel.close().catch(() => {});
        const token = tokenOf(channel, delivery);
        if (!this.#take(token, priority)) tooMany.push({ token, priority });
        this.#leaveWhenFull();
      }),
    );
    const tags = await Promise.all(consumers);
    if (this.#ctx.executionSlots.free > 0 && !this.#hasBacklog) await full;
    this.#vacancies.close();
    over.removeEventListener('abort', leave);
    await Promise.all(tags.map(({ consumerTag }) => channel.cancel(consumerTag))).finally(() => {
      for (const { token, priority } of tooMany) if (!this.#take(token, priority)) token.giveBack();
    });
  }

  get #hasBacklog(): boolean {
    return priorities.some((priority) => this.#backlog.has(priority));
  }

  #queue(priority: Priority): string {
    return this.#ctx.bus.names.executionQueue(priority);
  }

  /** @returns false when there is no slot for it */
  #take(token: Token, priority: Priority): boolean {
    const release = this.#stop.signal.aborted ? undefined : this.#ctx.executionSlots.take();
    if (!release) return false;
    this.#track(this.#claim(token, priority, release));
    return true;
  }

  #track(taking: Promise<void>): void {
    const tracked = taking.finally(() => this.#taking.delete(tracked));
    this.#taking.add(tracked);
  }

  /** Claim, acknowledge and begin: from the acknowledgement on the lease guards the run, not the broker. */
  async #claim(token: Token, priority: Priority, release: () => void): Promise<void> {
    const vacancy = this.#vacancies.ask(release);
    try {
      const { lease, grantedBefore, certainFrom, backlog } = await this.#claims.next(priority, vacancy.claim_id);
      this.#failures = 0;
      // What was granted without the token leaves it to another execution.
      if (grantedBefore) token.giveBack();
      else token.settle();
      this.#backlog.answered(priority, lease !== undefined, backlog);
      if (lease) this.#vacancies.accept(vacancy.claim_id, lease);
      this.#vacancies.asked(vacancy, certainFrom);
      if (this.#hasBacklog) this.#leave?.();
    } catch (err) {
      const pause = Math.min(retry.mostMs, retry.firstMs * 2 ** Math.min(10, this.#failures++));
      this.#ctx.log.warn({ err, priority, pause_ms: pause }, 'no execution can be claimed now');
      await delay(pause, undefined, { signal: this.#stop.signal }).catch(() => {});
      token.giveBack();
      this.#vacancies.asked(vacancy, performance.now() + doubtMs);
    }
  }

  /** Resolves when the run has begun. */
  #begin(lease: Lease, release: () => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const leave = () => {
      release();
      this.#vacancies.freed();
    };
    void runExecution(this.#ctx, lease, { begun: resolve, release: leave });
    return promise;
  }

  #leaveWhenFull(): void {
    if (this.#ctx.executionSlots.free === 0) this.#leave?.();
  }
}

function tokenOf(channel: Channel, delivery: Delivery): Token {
  // A channel that was closed meanwhile has given its tokens back already.
  const unlessClosed = (answer: () => void) => () => {
    try {
      answer();
    } catch {
      // Nothing to settle.
    }
  };
  return {
    settle: unlessClosed(() => channel.ack(delivery)),
    giveBack: unlessClosed(() => channel.nack(delivery, false, true)),
  };
}

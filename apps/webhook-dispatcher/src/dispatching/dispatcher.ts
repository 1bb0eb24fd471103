import { setTimeout as delay } from 'node:timers/promises';
import { Batches } from '@claude-cli/shared/batches';
import { newId } from '@claude-cli/shared/ids';
import type { Logger } from '@claude-cli/shared/logger';
import { every } from '@claude-cli/shared/timer';
import type { Delivery, DeliveryModel } from '../deliveries/delivery.ts';
import type { Limits } from '../sending/limits.ts';
import type { Sender } from '../sending/sender.ts';
import type { DisabledReason, WebhookModel } from '../webhooks/webhook.ts';
import { EndpointStore } from './endpoint-store.ts';
import { Lately } from './lately.ts';
import { endpointsServed } from './metrics.ts';
import { Pace } from './pace.ts';
import { Results } from './results.ts';
import { Slots } from './slots.ts';
import { Speeds } from './speeds.ts';
import type { Surroundings } from './surroundings.ts';
import { Turn } from './turn.ts';
import { Unstored } from './unstored.ts';

/** What a dispatcher works with. */
export interface DispatcherOptions
  extends Pick<Surroundings, 'deliveries' | 'seal' | 'limits' | 'concurrency' | 'log'> {
  webhooks: WebhookModel;
  deliveries: DeliveryModel;
  sender: Sender;
  /** Requests to one endpoint per second. */
  rate: number;
  /** How long what is being sent may take to end when the dispatcher stops, in milliseconds. */
  graceMs: number;
  disable(webhookId: string, reason: DisabledReason): Promise<void>;
}

/** Something to send to an endpoint that was not served here when it came. */
interface Wanted {
  id: string;
  /** Give it to who serves the endpoint. @returns false when word has to be left for the endpoint instead */
  give(turn: Turn): boolean;
}

/** Endpoints that are taken by one claim. */
const takenAtOnce = 500;

/** Serves endpoints: those for which deliveries are handed over, and those that it finds to have something to send. */
export class Dispatcher implements AsyncDisposable {
  readonly #turns = new Map<string, Turn>();
  readonly #webhooks: WebhookModel;
  readonly #endpoints: EndpointStore;
  readonly #limits: Limits;
  readonly #log: Logger;
  readonly #graceMs: number;
  readonly #pace: Pace;
  readonly #speeds: Speeds;
  readonly #windows: Lately<number>;
  readonly #around: Surroundings;
  readonly #results: Results;
  readonly #stopped = new AbortController();
  readonly #wanted = new Batches<Wanted, undefined>((wanted) => this.#takeAll(wanted), { most: takenAtOnce });
  #stopping = false;
  #renewedAt = performance.now();
  #polling: AsyncDisposable | undefined;

  constructor(options: DispatcherOptions) {
    const { webhooks, deliveries, limits, rate, graceMs, log } = options;
    this.#webhooks = webhooks;
    this.#endpoints = new EndpointStore(webhooks);
    this.#limits = limits;
    this.#log = log;
    this.#graceMs = graceMs;
    this.#pace = new Pace(rate);
    this.#speeds = new Speeds(limits.unstoredMs / 2, limits.rememberedMs);
    this.#windows = new Lately(limits.rememberedMs);
    this.#results = new Results(deliveries, webhooks, limits.results);
    this.#around = {
      ...options,
      endpoints: this.#endpoints,
      results: this.#results,
      slots: new Slots(limits.requests),
      pace: this.#pace,
      speeds: this.#speeds,
      windows: this.#windows,
      turns: () => Math.max(1, this.#turns.size),
      stopped: this.#stopped.signal,
      ended: ({ id }) => {
        this.#turns.delete(id);
        endpointsServed.set(this.#turns.size);
      },
    };
  }

  /** Look for endpoints that have something to send, from now on. */
  start(): AsyncDisposable {
    this.#polling = every(this.#limits.pollMs, 'looking for deliveries', () => this.#look(), this.#log);
    return this;
  }

  /**
   * Have deliveries sent that are stored and due. Resolves when they will be sent even if this process dies: it has the
   * lease of the endpoint, or has left word for who has.
   */
  async handOver(deliveries: readonly Delivery[]): Promise<void> {
    const byWebhook = Map.groupBy(deliveries, ({ webhook_id }) => webhook_id);
    await Promise.all([...byWebhook].map(([id, some]) => this.#handOverTo(id, some)));
  }

  /** Whether deliveries to an endpoint may be sent before they are stored, as far as is known. */
  sendsUnstored(webhookId: string): boolean {
    return !this.#stopping && this.#speeds.isFast(webhookId);
  }

  /**
   * Send deliveries that are due and not stored, as far as that is possible at once.
   * @returns those that were begun: each is to be closed, stored and told so once it has ended
   */
  async sendUnstored(deliveries: readonly Delivery[]): Promise<Unstored[]> {
    const all = deliveries.map((delivery) => new Unstored(delivery));
    const byWebhook = Map.groupBy(all, ({ delivery }) => delivery.webhook_id);
    const begun = (await Promise.all([...byWebhook].map(([id, some]) => this.#offer(id, some)))).flat();
    if (begun.length === 0) return [];
    this.#giveUpLate(begun);
    return begun;
  }

  /** A person says that the endpoint is in order, or another one: what failed before counts no longer, and no rest is kept. */
  async forgive(webhookId: string): Promise<void> {
    await this.#endpoints.forgive(webhookId, new Date());
  }

  /**
   * Let what is being sent end within the grace, cut off the rest, store what came of it, and let others serve the endpoints.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true;
    await this.#polling?.[Symbol.asyncDispose]();
    await this.#wanted[Symbol.asyncDispose]();
    for (const turn of this.#turns.values()) turn.leave();
    await this.#untilNoTurn(this.#graceMs);
    this.#around.sender.stop();
    await this.#untilNoTurn(this.#graceMs);
    this.#stopped.abort();
    await this.#results[Symbol.asyncDispose]();
    if (this.#turns.size > 0) this.#log.warn({ endpoints: this.#turns.size }, 'endpoints are left to their leases');
  }

  /** Give up waiting for answers that take long; where an endpoint answers, those that are not sent yet wait for their turn. */
  #giveUpLate(begun: readonly Unstored[]): void {
    const { unstoredMs, unstoredMostMs } = this.#limits;
    const until = performance.now() + unstoredMostMs;
    const mayWait = ({ delivery, sentForMs }: Unstored) =>
      performance.now() < until && sentForMs < unstoredMs && this.#speeds.isAnswering(delivery.webhook_id);
    const giveUp = () => {
      const late = begun.filter((each) => !mayWait(each));
      for (const each of late) if (each.giveUp()) this.#speeds.noteLate(each.delivery.webhook_id);
    };
    // Answers that are there already are read first: this process may be what is late.
    const timer = setInterval(() => setImmediate(giveUp), unstoredMs);
    void Promise.all(begun.map(({ ended }) => ended)).then(() => clearInterval(timer));
  }

  async #untilNoTurn(withinMs: number): Promise<void> {
    const until = performance.now() + withinMs;
    while (this.#turns.size > 0 && performance.now() < until) await delay(10);
  }

  async #handOverTo(id: string, deliveries: readonly Delivery[]): Promise<void> {
    const turn = this.#turns.get(id);
    if (turn?.add(deliveries)) return;
    if (turn?.releasing) {
      await turn.releasing;
      if (this.#turns.get(id)?.add(deliveries)) return;
    }
    await this.#wanted.add({ id, give: (turn) => turn.add(deliveries) });
  }

  async #offer(id: string, some: readonly Unstored[]): Promise<Unstored[]> {
    await this.#turns.get(id)?.releasing;
    const turn = this.#turns.get(id);
    if (turn) return turn.offer(some);
    let begun: Unstored[] | undefined;
    const give = (taken: Turn) => {
      begun = taken.offer(some);
      return true;
    };
    await this.#wanted.add({ id, give });
    // Somebody else serves it, or it rests, and so will it the next time.
    if (!begun) this.#speeds.noteLate(id);
    return begun ?? [];
  }

  async #takeAll(wanted: readonly Wanted[]): Promise<undefined[]> {
    const byEndpoint = Map.groupBy(wanted, ({ id }) => id);
    const free: string[] = [];
    const served: string[] = [];
    for (const [id, some] of byEndpoint) {
      const turn = this.#turns.get(id);
      if (!turn) free.push(id);
      else if (!some.map(({ give }) => give(turn)).every(Boolean)) served.push(id);
    }
    const isFull = this.#stopping || this.#turns.size + free.length > this.#limits.endpoints;
    const left = isFull ? [...served, ...free] : served;
    if (left.length > 0) await this.#endpoints.announce(left, new Date());
    if (!isFull && free.length > 0) await this.#take(free, byEndpoint);
    return wanted.map(() => undefined);
  }

  async #take(ids: readonly string[], wanted: ReadonlyMap<string, readonly Wanted[]>): Promise<void> {
    const token = newId();
    const leaseUntil = performance.now() + this.#limits.leaseMs;
    const now = new Date();
    const taken = await this.#endpoints.take(ids, token, now, new Date(now.getTime() + this.#limits.leaseMs));
    for (const webhook of taken) {
      const turn = new Turn(this.#around, webhook, token, leaseUntil);
      this.#turns.set(webhook._id, turn);
      if (this.#stopping) turn.leave();
      else for (const { give } of wanted.get(webhook._id) ?? []) give(turn);
      turn.pump();
    }
    endpointsServed.set(this.#turns.size);
  }

  async #look(): Promise<void> {
    await this.#refresh();
    for (const turn of this.#turns.values()) turn.pump();
    this.#pace.prune();
    this.#speeds.prune();
    this.#windows.prune();
    const room = Math.min(this.#limits.claims, this.#limits.endpoints - this.#turns.size);
    if (room <= 0) return;
    const due = await this.#endpoints.due(new Date(), room);
    const wanted = due.filter((id) => !this.#turns.has(id));
    await Promise.all(wanted.map((id) => this.#wanted.add({ id, give: () => true })));
  }

  /** Renew the leases in time, and see what others did to the endpoints. */
  async #refresh(): Promise<void> {
    const turns = [...this.#turns.values()];
    if (turns.length === 0) return;
    const started = performance.now();
    if (started - this.#renewedAt > this.#limits.leaseMs / 3) {
      const tokens = new Map(turns.map(({ id, token }) => [id, token]));
      await this.#endpoints.renew(tokens, new Date(Date.now() + this.#limits.leaseMs));
      this.#renewedAt = started;
    }
    const news = new Map((await this.#endpoints.news(turns.map(({ id }) => id))).map((each) => [each._id, each]));
    const changed = turns.filter(({ id, version }) => (news.get(id)?.version ?? version) !== version);
    const reread = await this.#webhooks.find({ _id: { $in: changed.map(({ id }) => id) } }).lean();
    const webhooks = new Map(reread.map((webhook) => [webhook._id, webhook]));
    for (const turn of turns) {
      const found = news.get(turn.id);
      // The lease that was read is as long as the one that was written last, at least.
      if (found?.endpoint.holder === turn.token) {
        const leftMs = (found.endpoint.claimable_at?.getTime() ?? 0) - Date.now();
        turn.renewed(started + leftMs);
      }
      turn.refresh(found, webhooks.get(turn.id));
    }
  }
}

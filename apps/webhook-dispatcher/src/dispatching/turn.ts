import { setTimeout as delay } from 'node:timers/promises';
import { type ActiveSpan, inSpan } from '@claude-cli/shared/telemetry/tracing';
import type { Delivery } from '../deliveries/delivery.ts';
import { Envelope } from '../sending/envelope.ts';
import type { Limits } from '../sending/limits.ts';
import type { Outcome } from '../sending/outcome.ts';
import type { DisabledReason, Webhook } from '../webhooks/webhook.ts';
import type { EndpointNews } from './endpoint-store.ts';
import { type Health, healthAfter, reasonToDisable } from './health.ts';
import { countAttempt } from './metrics.ts';
import { Queue } from './queue.ts';
import { Refill } from './refill.ts';
import { resultOf } from './results.ts';
import { storeResult } from './store-result.ts';
import type { Surroundings } from './surroundings.ts';
import type { Unstored } from './unstored.ts';

/**
 * A process serving an endpoint, from the claim to the release. It sends as many requests at once as the endpoint answers well:
 * two to begin with, or as many as lately, one while it fails, more with each success.
 */
export class Turn {
  readonly id: string;
  readonly token: string;
  readonly #around: Surroundings;
  readonly #queue: Queue;
  readonly #unstored = new WeakMap<Delivery, Unstored>();
  readonly #started = performance.now();
  readonly #refilling = new Refill(() => this.pump());
  #webhook: Webhook;
  #health: Health;
  /** Nothing is sent without one. */
  #envelope: Envelope | undefined;
  #window: number;
  #inFlight = 0;
  #leaseUntil: number;
  #state: 'serving' | 'leaving' | 'lost' | 'over' = 'serving';
  #releasing: Promise<void> | undefined;
  #wake: NodeJS.Timeout | undefined;
  #idling: NodeJS.Timeout | undefined;

  /** @param leaseUntil by the clock of performance.now() */
  constructor(around: Surroundings, webhook: Webhook, token: string, leaseUntil: number) {
    const { failures, rests_until } = webhook.endpoint;
    this.id = webhook._id;
    this.token = token;
    this.#around = around;
    this.#webhook = webhook;
    this.#health = { failures, failing_since: webhook.failing_since, rests_until };
    this.#window = failures > 0 ? 1 : Math.min(around.windows.get(this.id) ?? 2, around.concurrency);
    this.#leaseUntil = leaseUntil;
    this.#queue = new Queue(around.deliveries, webhook);
    this.#load(webhook);
  }

  /** Version of the webhook that it serves by. */
  get version(): number {
    return this.#webhook.version;
  }

  /** Resolves when it is known whether the endpoint is given up; undefined while it is not being. */
  get releasing(): Promise<void> | undefined {
    return this.#releasing;
  }

  /** Send these, which are stored. @returns false when it cannot be relied on for that: word has to be left for the endpoint */
  add(deliveries: readonly Delivery[]): boolean {
    if (!this.#isSure()) return false;
    this.#queue.add(deliveries, this.#capacity() - this.#queue.size);
    this.pump();
    return true;
  }

  /** Send those for which there is room, though they are not stored, unless others wait. @returns those that will be sent */
  offer(some: readonly Unstored[]): Unstored[] {
    if (!this.#isSure() || !this.#mayBegin() || this.#health.failures > 0) return [];
    // They are in memory anyway, so there may be more than are read ahead.
    const room = Math.floor(this.#around.limits.held / this.#around.turns()) - this.#queue.size;
    const taken = new Set(
      this.#queue.offer(
        some.map(({ delivery }) => delivery),
        room,
      ),
    );
    const begun = some.filter(({ delivery }) => taken.has(delivery));
    for (const each of begun) this.#unstored.set(each.delivery, each);
    this.pump();
    return begun;
  }

  /** The lease was renewed. */
  renewed(leaseUntil: number): void {
    this.#leaseUntil = leaseUntil;
  }

  /** What became of the endpoint. @param webhook when it has another version */
  refresh(news: EndpointNews | undefined, webhook?: Webhook): void {
    if (this.#state === 'over' || this.#releasing) return;
    if (news?.endpoint.holder !== this.token) this.#state = 'lost';
    else this.#queue.heard(news.endpoint.news);
    if (this.#state === 'serving' && (news?.status !== 'active' || news.deleted_at !== null)) this.#state = 'leaving';
    if (webhook && webhook.url !== this.#webhook.url) {
      this.#health = { failures: 0, failing_since: null, rests_until: null };
    }
    if (webhook) this.#webhook = webhook;
    // Of two secrets one ceases to sign some time.
    if (webhook || this.#webhook.secrets.length > 1) this.#load(this.#webhook);
    this.pump();
  }

  /** Begin nothing more, and let others serve the endpoint. */
  leave(): void {
    if (this.#state === 'serving') this.#state = 'leaving';
    this.pump();
  }

  /** Do what can be done now. */
  pump(): void {
    const { limits, slots } = this.#around;
    this.#refilling.clear();
    if (this.#state === 'over' || this.#releasing) return;
    if (this.#state === 'serving' && performance.now() - this.#started > limits.turnMs) this.#state = 'leaving';
    if (this.#mayBegin()) {
      while (this.#queue.ready > 0 && this.#inFlight < this.#window && this.#mayBegin()) {
        if (!slots.take(this.#pumpLater) || !this.#isInPace()) break;
        void this.#send(this.#queue.next());
      }
      this.#fetch();
      if (this.#queue.isEmpty) this.#idle();
    } else if (this.#queue.busy === 0) {
      if (this.#state === 'lost') this.#end();
      else this.#release();
    }
  }

  readonly #pumpLater = () => this.pump();

  /** Send more: where enough is under way, and enough waits, several at once. */
  #refill(): void {
    this.#refilling.ask(this.#inFlight > this.#window / 2 && this.#queue.ready >= this.#window);
  }

  /** Give the endpoint up unless there is something to send within a moment: claiming it again costs more than keeping it. */
  #idle(): void {
    const { taken } = this.#queue;
    this.#idling ??= setTimeout(() => {
      this.#idling = undefined;
      if (!this.#queue.isEmpty || this.#state !== 'serving' || this.#releasing) return;
      if (this.#queue.taken === taken) this.#release();
      else this.#idle();
    }, this.#around.limits.idleMs);
  }

  /** Whether it can be relied on to send more. A third of the lease is left for clocks that differ. */
  #isSure(): boolean {
    const isLeased = this.#leaseUntil - performance.now() > this.#around.limits.leaseMs / 3;
    return this.#state === 'serving' && !this.#releasing && isLeased;
  }

  #mayBegin(): boolean {
    const rests = (this.#health.rests_until?.getTime() ?? 0) > Date.now();
    return this.#state === 'serving' && !rests && this.#envelope !== undefined && performance.now() < this.#leaseUntil;
  }

  /** How many deliveries may be held. */
  #capacity(): number {
    const { limits, turns } = this.#around;
    const share = Math.floor(limits.held / turns());
    return Math.min(this.#window * limits.ahead, Math.max(this.#window, share));
  }

  /** A slot is taken for what is to be sent; given back when the endpoint has had as many requests as it may for now. */
  #isInPace(): boolean {
    const waitMs = this.#around.pace.take(this.id);
    if (waitMs === 0) return true;
    clearTimeout(this.#wake);
    this.#wake = setTimeout(this.#pumpLater, Math.ceil(waitMs));
    this.#around.slots.release();
    return false;
  }

  /** Many at once: what is held is passed over each time. */
  #fetch(): void {
    const { log, limits } = this.#around;
    const room = this.#capacity() - this.#queue.size;
    if (this.#queue.ready >= this.#window || room < this.#capacity() / 2) return;
    const fetched = this.#queue.fetch(room);
    fetched?.then(this.#pumpLater, async (err) => {
      log.warn({ err, webhook_id: this.id }, 'deliveries cannot be read');
      await delay(limits.pollMs);
      this.pump();
    });
  }

  #send(delivery: Delivery): Promise<void> {
    const { parent, links } = { parent: delivery.traceparent, links: [delivery.attempts.at(-1)?.traceparent] };
    const attributes = { 'webhook.id': this.id, 'event.type': delivery.event_type };
    return inSpan('webhook attempt', { parent, root: true, links, kind: 'client', attributes }, (span) =>
      this.#attempt(delivery, span),
    );
  }

  async #attempt(delivery: Delivery, span: ActiveSpan): Promise<void> {
    const { sender, slots, limits } = this.#around;
    const at = new Date();
    const headers = this.#envelope?.headersFor(delivery, at) ?? {};
    this.#inFlight++;
    this.#unstored.get(delivery)?.sent();
    const outcome = await sender.post({ url: this.#webhook.url, headers, body: delivery.payload });
    this.#inFlight--;
    slots.release();
    countAttempt(outcome);
    span.setAttribute('http.response.status_code', outcome.status_code ?? 0);
    if (outcome.fault === 'stopped') {
      // Whether it arrived is not known: it is sent again.
      void this.#unstored.get(delivery)?.settle();
      this.#queue.giveBack(delivery._id);
      this.leave();
      return;
    }
    this.#around.speeds.note(this.id, outcome.duration_ms);
    this.#learn(outcome, limits, at);
    const reason = reasonToDisable(this.#health, outcome, limits, new Date());
    if (reason) this.leave();
    else this.#refill();
    await this.#settle(delivery, outcome, at, reason);
  }

  #learn(outcome: Outcome, limits: Limits, at: Date): void {
    this.#health = healthAfter(this.#health, outcome, limits, new Date(at.getTime() + outcome.duration_ms));
    this.#window = this.#health.failures > 0 ? 1 : Math.min(this.#window + 1, this.#around.concurrency);
    this.#around.windows.set(this.id, this.#window);
  }

  async #settle(delivery: Delivery, outcome: Outcome, at: Date, reason: DisabledReason | undefined): Promise<void> {
    // Success after success changes nothing.
    const changed = this.#health.failures > 0 || this.#webhook.endpoint.failures > 0;
    const health = changed ? { ...this.#health, token: this.token } : undefined;
    this.#webhook.endpoint.failures = this.#health.failures;
    const result = { ...resultOf(delivery, outcome, at, this.#around.limits), health };
    if (!(await this.#unstored.get(delivery)?.settle(result))) {
      const end = await storeResult(this.#around, result, reason);
      if (reason && end === 'done') this.#webhook.status = 'disabled';
    }
    this.#queue.settled(delivery._id, result.next_attempt_at);
    this.#refill();
  }

  #load(webhook: Webhook): void {
    try {
      this.#envelope = new Envelope(this.#around, webhook);
    } catch (err) {
      this.#around.log.error({ err, webhook_id: this.id }, 'a webhook cannot be delivered to');
      const rest = new Date(Date.now() + this.#around.limits.longestRestMs);
      this.#health = { ...this.#health, rests_until: rest };
    }
  }

  /** Give the endpoint up. Nothing is being sent, and nobody is told that it is served while this goes on. */
  #release(): void {
    const { endpoints, log, limits } = this.#around;
    const attempt = async () => {
      const { id, token } = this;
      const given = await endpoints.release({
        id,
        token,
        news: this.#queue.newsSeen,
        claimableAt: this.#claimableAt(),
      });
      if (given) return this.#end();
      const [news] = await endpoints.news([this.id]);
      this.#releasing = undefined;
      this.refresh(news);
    };
    this.#releasing = attempt().catch(async (err) => {
      log.warn({ err, webhook_id: this.id }, 'an endpoint cannot be released yet');
      await delay(limits.pollMs);
      this.#releasing = undefined;
    });
  }

  /** When there is something to send to it, as far as is known; undefined: nothing waits. */
  #claimableAt(): Date | undefined {
    const due = this.#queue.dueAt();
    if (!due || this.#webhook.status !== 'active') return undefined;
    return new Date(Math.max(due.getTime(), this.#health.rests_until?.getTime() ?? 0));
  }

  #end(): void {
    clearTimeout(this.#wake);
    clearTimeout(this.#idling);
    this.#state = 'over';
    this.#around.ended(this);
  }
}

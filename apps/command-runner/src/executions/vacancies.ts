import { setTimeout as delay } from 'node:timers/promises';
import { BoundedMap } from '@claude-cli/shared/bounded-map';
import { newId } from '@claude-cli/shared/ids';
import type { Context } from '../context.ts';
import { doubtMs, ownOrigin } from './claim.ts';
import type { Lease } from './lease.ts';

/** For how long one call waits, in milliseconds. */
const waitMs = 10_000;
/** How often it is asked, where there is doubt, whether something was granted, in milliseconds. */
const doubtEveryMs = 500;
/** Pauses after calls that failed, or ended at once, in milliseconds. */
const retry = { firstMs: 100, mostMs: 5_000 };
/** For how long slots that become free gather while others wait already, in milliseconds. */
const gatherMs = 20;
/** Grants that are remembered: far more than can be under way in two answers to one question. */
const rememberedGrants = 10_000;
/** How long stopping waits for task-service to end the waits, in milliseconds. */
const endMs = 1_000;

/**
 * A slot that asks for an execution. Its question is the same however often and of whom it is asked, so that it can wait at
 * task-service and come with a token of the broker at the same time: it is granted one execution, and another one only once that
 * has ended.
 */
export interface Vacancy {
  readonly claim_id: string;
  /** From when on, by performance.now(), it is certain what calls that failed have granted it; 0 once that was asked for. */
  certainFrom: number;
  /** Whether it waits at task-service. */
  waits: boolean;
  /** Gives back the slot that it has taken to ask with a token. */
  release: (() => void) | undefined;
}

/**
 * The free slots of this runner. While there is nothing in the queues they wait at task-service, which gives them what becomes
 * ready there without a message in between.
 */
export class Vacancies {
  readonly #ctx: Context;
  readonly #begin: (lease: Lease, release: () => void) => void;
  /** Those of slots that are free: never more than there are of these. */
  readonly #free = new Map<string, Vacancy>();
  /** Those that ask with a token, and have taken their slot. */
  readonly #asking = new Map<string, Vacancy>();
  readonly #accepted = new BoundedMap<string, true>(rememberedGrants);
  readonly #calls = new Set<Promise<void>>();
  readonly #cancel = new AbortController();
  readonly #stop = new AbortController();
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;

  /** @param begin runs what a slot was granted, and releases the slot */
  constructor(ctx: Context, begin: (lease: Lease, release: () => void) => void) {
    this.#ctx = ctx;
    this.#begin = begin;
  }

  /** From now on what is free waits at task-service. */
  open(): void {
    this.#isOpen = true;
    this.#await();
  }

  /** What is free from now on does not wait there; what waits goes on. */
  close(): void {
    this.#isOpen = false;
  }

  /** A slot has become free. */
  freed(): void {
    if (!this.#isOpen) return;
    const others = [...this.#free.values()].some(({ waits }) => waits);
    this.#timer ??= setTimeout(() => this.#await(), others ? gatherMs : 0);
  }

  /** The question of a slot that was taken because of a token. @param release gives the slot back */
  ask(release: () => void): Vacancy {
    const [vacancy = newVacancy()] = this.#free.values();
    this.#free.delete(vacancy.claim_id);
    this.#asking.set(vacancy.claim_id, vacancy);
    vacancy.release = release;
    return vacancy;
  }

  /** Run what a question was granted, unless another answer has told of it before. */
  accept(claim_id: string, lease: Lease): void {
    const { execution_id, generation } = lease.job;
    // An older copy of the database that is put back lets the same run be granted again, to another question.
    const grant = `${claim_id} ${execution_id} ${generation}`;
    if (this.#accepted.get(grant)) return;
    this.#accepted.set(grant, true);
    const release = this.#asking.get(claim_id)?.release ?? this.#ctx.executionSlots.take();
    this.#asking.delete(claim_id);
    this.#free.delete(claim_id);
    // Granted by a replica that could not know that the question was answered by another one, and what that gave has ended.
    if (!release) this.#ctx.log.warn({ execution_id }, 'an execution was granted when no slot was free');
    this.#begin(lease, release ?? (() => {}));
  }

  /**
   * The token is settled: if nothing was granted, the slot is free again.
   * @param certainFrom see {@link Vacancy.certainFrom}
   */
  asked(vacancy: Vacancy, certainFrom: number): void {
    if (!this.#asking.delete(vacancy.claim_id)) return;
    vacancy.certainFrom = Math.max(vacancy.certainFrom, certainFrom);
    this.#free.set(vacancy.claim_id, vacancy);
    vacancy.release?.();
    vacancy.release = undefined;
    this.freed();
  }

  /** Wait no more. Resolves when what was being given is. */
  async endCalls(): Promise<void> {
    this.close();
    this.#stop.abort();
    clearTimeout(this.#timer);
    if (this.#calls.size === 0) return;
    const request = { runner_id: this.#ctx.runner.runner_id };
    const timer = setTimeout(() => this.#cancel.abort(), endMs);
    await this.#ctx.waits.endAwaiting(request, ownOrigin(), { deadlineMs: endMs }).catch(() => {});
    await Promise.all(this.#calls);
    clearTimeout(timer);
  }

  /** Take what calls that failed have granted. @param until asked for so long at most, by performance.now() */
  async settle(until: number): Promise<void> {
    for (;;) {
      const doubtful = [...this.#free.values()].filter(isDoubtful);
      if (doubtful.length === 0 || performance.now() >= until) return;
      // Not by the signal that has cut off the waits.
      await this.#call(doubtful, 0, AbortSignal.timeout(Math.ceil(until - performance.now()))).catch(() => {});
      await delay(doubtEveryMs);
    }
  }

  /** Let all wait that do not. */
  #await(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!this.#isOpen || this.#stop.signal.aborted) return;
    while (this.#free.size < this.#ctx.executionSlots.free) {
      const vacancy = newVacancy();
      this.#free.set(vacancy.claim_id, vacancy);
    }
    const idle = [...this.#free.values()].filter(({ waits }) => !waits);
    if (idle.length === 0) return;
    const call = this.#wait(idle).finally(() => {
      this.#calls.delete(call);
      this.#await();
    });
    this.#calls.add(call);
  }

  async #wait(vacancies: readonly Vacancy[]): Promise<void> {
    for (const vacancy of vacancies) vacancy.waits = true;
    const began = performance.now();
    const pause = (ms: number) => delay(ms, undefined, { signal: this.#stop.signal }).catch(() => {});
    try {
      const count = await this.#call(
        vacancies,
        vacancies.some(isDoubtful) ? doubtEveryMs : waitMs,
        this.#cancel.signal,
      );
      this.#failures = 0;
      // A replica that is being stopped lets nobody wait.
      if (count === 0 && performance.now() - began < retry.firstMs) await pause(retry.firstMs);
    } catch (err) {
      const pause_ms = Math.min(retry.mostMs, retry.firstMs * 2 ** Math.min(10, this.#failures++));
      this.#ctx.log.debug({ err, pause_ms }, 'free slots do not wait at task-service');
      await pause(pause_ms);
    } finally {
      for (const vacancy of vacancies) vacancy.waits = false;
    }
  }

  /** @param end cuts it off @returns how many executions were given */
  async #call(vacancies: readonly Vacancy[], wait_ms: number, end: AbortSignal): Promise<number> {
    // Leases are counted from before the call: by our clock they end no later than by the clock of task-service.
    const asked = performance.now();
    const claim_ids = vacancies.map(({ claim_id }) => claim_id);
    const maybe_granted = vacancies.some(isDoubtful);
    const request = { runner_id: this.#ctx.runner.runner_id, claim_ids, wait_ms, maybe_granted };
    const origin = { ...ownOrigin(), signal: AbortSignal.any([end]) };
    let count = 0;
    try {
      for await (const { claim_id, job, waited_ms } of await this.#ctx.waits.awaitExecutions(request, origin)) {
        count++;
        if (job) this.accept(claim_id, { job, leaseUntil: asked + waited_ms + job.lease_ms });
      }
    } catch (error) {
      for (const vacancy of vacancies) vacancy.certainFrom = performance.now() + doubtMs;
      throw error;
    }
    for (const vacancy of vacancies) if (maybe_granted && vacancy.certainFrom <= asked) vacancy.certainFrom = 0;
    return count;
  }
}

function newVacancy(): Vacancy {
  return { claim_id: newId(), certainFrom: 0, waits: false, release: undefined };
}

function isDoubtful({ certainFrom }: Vacancy): boolean {
  return certainFrom > 0;
}

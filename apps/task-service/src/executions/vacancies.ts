import type { AwaitedExecution } from '@claude-cli/proto/platform/v1/executions';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import type { Call } from '@claude-cli/shared/grpc/server';
import { inSpan } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import type { Execution } from './execution.ts';
import { jobOf } from './job.ts';
import { takeTurn } from './take-turn.ts';

/** Free slots of a runner that wait by one call. */
interface Wait {
  runner_id: string;
  call: Call;
  /** When it began, by performance.now(). */
  since: number;
  /** Questions of slots that were given nothing and are given nothing just now. */
  free: Set<string>;
  /** How many are being given something. */
  giving: number;
  given: AwaitedExecution[];
  /** Nothing more is begun. */
  isOver: boolean;
  failure?: unknown;
  /** Lets the reader of the stream look again. */
  wake(): void;
}

/**
 * Free slots of runners that wait at this replica. What becomes ready here is given to one of them at once, by the runner whose
 * turn it is; only what no slot waits for is announced by the broker. Nothing is known here that must outlive this process: a
 * question is granted one execution at most, whoever is asked, because the database knows by which one each is held.
 */
export class Vacancies {
  /** Whose turn it is comes first. */
  readonly #waits = new Set<Wait>();

  /**
   * Let slots wait until each has something or the time is over.
   * @param ms of the wait at most
   */
  async *wait(
    runner_id: string,
    claim_ids: readonly string[],
    ms: number,
    since: number,
    call: Call,
  ): AsyncGenerator<AwaitedExecution> {
    let changed = Promise.withResolvers<void>();
    const wake = () => changed.resolve();
    const wait: Wait = {
      ...{ runner_id, call, since, free: new Set(claim_ids), giving: 0, given: [], isOver: false, wake },
    };
    const end = () => {
      wait.isOver = true;
      wake();
    };
    const timer = setTimeout(end, ms);
    call.signal?.addEventListener('abort', end, { once: true });
    if (call.signal?.aborted) end();
    this.#waits.add(wait);
    try {
      for (;;) {
        yield* wait.given.splice(0);
        if (wait.giving === 0 && wait.given.length === 0 && (wait.isOver || wait.free.size === 0)) break;
        await changed.promise;
        changed = Promise.withResolvers();
      }
      if (wait.failure) throw wait.failure;
    } finally {
      this.#waits.delete(wait);
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', end);
    }
  }

  /** Whether a slot waits that can be given something. */
  get isAwaited(): boolean {
    return [...this.#waits].some(({ isOver, free }) => !isOver && free.size > 0);
  }

  /** End the waits of a runner. */
  end(runner_id: string): void {
    for (const wait of this.#waits) {
      if (wait.runner_id !== runner_id) continue;
      wait.isOver = true;
      wait.wake();
    }
  }

  /** Slots that ask otherwise are given nothing here meanwhile. @returns lets some of them wait on, if their call still does */
  withhold(claim_ids: readonly string[]): (restored: readonly string[]) => void {
    const held = [...this.#waits].flatMap(({ free }) =>
      claim_ids.filter((id) => free.delete(id)).map((id) => ({ id, free })),
    );
    return (restored) => {
      for (const { id, free } of held) if (restored.includes(id)) free.add(id);
    };
  }

  /** Give the first in turn of a priority to a slot that waits. False when none does, or nothing can be had. */
  async handOver(ctx: Context, priority: Priority): Promise<boolean> {
    for (let wait = this.#next(); wait; wait = this.#next()) {
      const outcome = await this.#give(ctx, priority, wait);
      if (outcome !== 'asked before') return outcome === 'given';
    }
    return false;
  }

  #next(): Wait | undefined {
    for (const wait of this.#waits) {
      if (wait.isOver || wait.free.size === 0) continue;
      this.#waits.delete(wait);
      this.#waits.add(wait);
      return wait;
    }
    return undefined;
  }

  async #give(ctx: Context, priority: Priority, wait: Wait): Promise<'given' | 'asked before' | 'none'> {
    const [claim_id = ''] = wait.free;
    wait.free.delete(claim_id);
    wait.giving++;
    const from = performance.now();
    // A signal of its own, because calls listen to it for as long as the signal is there.
    const call = { ...wait.call, ...(wait.call.signal && { signal: AbortSignal.any([wait.call.signal]) }) };
    const question = { priority, claim_id, runner_id: wait.runner_id, agents: 'passed over' } as const;
    try {
      const taken = await inSpan('give execution', {}, () => takeTurn(ctx, question, call));
      if (typeof taken === 'object') {
        wait.given.push(await given(ctx, claim_id, taken, from - wait.since, call));
        return 'given';
      }
      if (taken === 'none') wait.free.add(claim_id);
      return taken;
    } catch (error) {
      // It may have been taken all the same: whoever asked has to ask again.
      wait.failure = error;
      wait.isOver = true;
      return 'none';
    } finally {
      wait.giving--;
      wait.wake();
    }
  }
}

/** @param waitedMs from the beginning of the wait to that of the lease, or less */
export async function given(
  ctx: Context,
  claim_id: string,
  execution: Execution,
  waitedMs: number,
  call: Call,
): Promise<AwaitedExecution> {
  return { claim_id, job: await jobOf(ctx, execution, call), waited_ms: Math.floor(waitedMs) };
}

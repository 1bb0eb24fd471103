import { AuditServiceService, type Refusal } from '@claude-cli/proto/platform/v1/audit';
import { type Caller, serviceCaller } from '@claude-cli/shared/caller';
import type { RpcChannel, RpcClient } from '@claude-cli/shared/grpc/client';
import { newId } from '@claude-cli/shared/ids';
import type { Logger } from '@claude-cli/shared/logger';
import { every } from '@claude-cli/shared/timer';

/** How long refusals are gathered, in milliseconds; what was gathered is lost when this process dies. */
const gatherMs = 5_000;
/** Refusals that wait to be kept; while that many wait, others are only logged. */
const mostWaiting = 1_000;

/** Has the audit log keep who asked for what only admins may do: gathered, so that many are no more work than few. */
export class Refusals {
  readonly #audit: RpcClient<typeof AuditServiceService>;
  readonly #log: Logger;
  readonly #waiting = new Map<string, Refusal & { last_at: string }>();

  constructor(projectService: RpcChannel, log: Logger) {
    this.#audit = projectService.client(AuditServiceService);
    this.#log = log;
  }

  /** Note that a caller was refused. */
  note({ user_id }: Caller, endpoint: string, required: string, address: string | undefined): void {
    const now = new Date().toISOString();
    const key = `${user_id} ${endpoint} ${address}`;
    const known = this.#waiting.get(key);
    if (known) {
      known.count++;
      known.last_at = now;
    } else if (this.#waiting.size < mostWaiting) {
      const refusal = { id: newId(), user_id, endpoint, required, count: 1, first_at: now, last_at: now };
      this.#waiting.set(key, address === undefined ? refusal : { ...refusal, address });
    } else {
      this.#log.warn({ user_id, endpoint }, 'a refusal is missing in the audit log');
    }
  }

  /** Have what was noted kept, again and again until disposed, and then once more. */
  start(): AsyncDisposable {
    const timer = every(gatherMs, 'keeping refusals', () => this.keep(), this.#log);
    return {
      [Symbol.asyncDispose]: async () => {
        await timer[Symbol.asyncDispose]();
        await this.keep().catch((err) => this.#log.warn({ err }, 'refusals are missing in the audit log'));
      },
    };
  }

  /** Have what was noted kept. What could not be kept waits for the next time, under the same ids. */
  async keep(): Promise<void> {
    const sent = [...this.#waiting];
    if (sent.length === 0) return;
    this.#waiting.clear();
    const origin = { caller: serviceCaller('gateway'), requestId: newId() };
    try {
      await this.#audit.recordRefusals({ refusals: sent.map(([, refusal]) => refusal) }, origin);
    } catch (thrown) {
      // Keys of their own: what comes now under the same key has another id and another count.
      for (const [, refusal] of sent.slice(0, mostWaiting - this.#waiting.size)) this.#waiting.set(refusal.id, refusal);
      throw thrown;
    }
  }
}

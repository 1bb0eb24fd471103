import type { JobMessage } from '@claude-cli/shared/amqp/bus';

const most = 10_000;

/** The announcements that were granted to this runner last: each is run once, however often the broker delivers it. */
export class RecentClaims {
  readonly #keys = new Set<string>();

  has(message: JobMessage): boolean {
    return this.#keys.has(keyOf(message));
  }

  add(message: JobMessage): void {
    this.#keys.add(keyOf(message));
    const [oldest] = this.#keys;
    if (this.#keys.size > most && oldest !== undefined) this.#keys.delete(oldest);
  }
}

function keyOf({ execution_id, generation }: JobMessage): string {
  return `${execution_id} ${generation}`;
}

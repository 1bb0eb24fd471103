import type { Bus } from '@claude-cli/shared/amqp/bus';
import { newEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import type { Batch } from './output-recorder.ts';

/** How long nothing is published after a failure, in milliseconds: a broker that hangs must not slow the command down. */
const restMs = 5_000;

/** Whose output it is. */
export interface OutputOwner {
  command_id: string;
  task_id: string | null;
  project_id: string | null;
  user_id: string;
}

/** Shows the output of one run to whoever watches. Best effort: what cannot be published is still stored. */
export class LiveOutput {
  readonly #bus: Pick<Bus, 'publishEvent'>;
  readonly #owner: OutputOwner;
  readonly #log: Logger;
  #silentUntil = 0;
  #told = false;

  constructor(bus: Pick<Bus, 'publishEvent'>, owner: OutputOwner, log: Logger) {
    this.#bus = bus;
    this.#owner = owner;
    this.#log = log;
  }

  /** Publish a batch. Never rejects. */
  async publish({ sequence, pieces }: Batch): Promise<void> {
    if (Date.now() < this.#silentUntil) return;
    const { user_id, project_id, ...ids } = this.#owner;
    const data = { ...ids, user_id, sequence, pieces };
    try {
      await this.#bus.publishEvent(newEvent('command.output', { actor: user_id, project_id }, data));
    } catch (err) {
      this.#silentUntil = Date.now() + restMs;
      if (this.#told) return;
      this.#told = true;
      this.#log.warn({ err, command_id: ids.command_id }, 'output cannot be shown live');
    }
  }
}

import type { Bus } from '@claude-cli/shared/amqp/bus';
import { type EventCatalog, newEvent } from '@claude-cli/shared/events';
import type { Logger } from '@claude-cli/shared/logger';
import type { CommandEnd } from '../commands/command.ts';
import type { Batch } from './output-recorder.ts';

/** How long nothing is published after a failure, in milliseconds: a broker that hangs must not slow the command down. */
const restMs = 5_000;

/** Whose output it is. */
export interface OutputOwner {
  command_id: string;
  run_id: string;
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
  publish({ sequence, pieces }: Batch): Promise<void> {
    return this.#tell({ sequence, pieces });
  }

  /** Say that nothing comes any more. @param pieces how many there were in all. Never rejects. */
  end(pieces: number, { status, exit_code }: Pick<CommandEnd, 'status' | 'exit_code'>): Promise<void> {
    return this.#tell({ sequence: pieces + 1, pieces: [], end: { status, exit_code } });
  }

  async #tell(told: Pick<EventCatalog['command.output'], 'sequence' | 'pieces' | 'end'>): Promise<void> {
    if (Date.now() < this.#silentUntil) return;
    const { user_id, project_id, ...ids } = this.#owner;
    const data = { ...ids, user_id, ...told };
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

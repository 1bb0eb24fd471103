import type { CommandOutputPage, CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import { serviceCaller } from '@claude-cli/shared/caller';
import { newEvent, type OutputPiece } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import { newId } from '@claude-cli/shared/ids';
import { outputItem } from '../messages/of-event.ts';
import type { History, Page } from './history.ts';
import type { Item, Position } from './item.ts';

/** A runner shows output at once, and stores it within a second, or when its database is slow, later. */
const lagMs = 3_000;

/** What a command wrote, out of what the runners have stored. */
export class CommandHistory implements History {
  readonly lagMs = lagMs;
  readonly tellsGaps = true;
  readonly #commandId: string;
  readonly #commands: RpcClient<typeof CommandServiceService>;

  constructor(commandId: string, commands: RpcClient<typeof CommandServiceService>) {
    this.#commandId = commandId;
    this.#commands = commands;
  }

  async head(): Promise<Position> {
    const { run_id, last } = await this.#ask({ after: 0, limit: 0 });
    return { epoch: run_id, seq: last };
  }

  async after({ epoch, seq }: Position): Promise<Page> {
    const page = await this.#ask({ run_id: epoch, after: seq, limit: 1_000 });
    if (page.run_id !== epoch) return { items: [], complete: true, epoch: page.run_id };
    return { items: this.#itemsOf(page), complete: page.complete, epoch };
  }

  #itemsOf(page: CommandOutputPage): Item[] {
    const { chunks, end } = page;
    const items = chunks.map(({ sequence, pieces }) => this.#item(page, sequence, pieces as OutputPiece[]));
    if (end) items.push(this.#item(page, end.sequence, [], { status: end.status, exit_code: end.exit_code ?? null }));
    return items;
  }

  #item(
    { run_id, task_id }: CommandOutputPage,
    sequence: number,
    pieces: OutputPiece[],
    end?: { status: string; exit_code: number | null },
  ): Item {
    const about = { command_id: this.#commandId, run_id, task_id: task_id ?? null, user_id: '', sequence, pieces };
    const data = end ? { ...about, end } : about;
    return outputItem(newEvent('command.output', { actor: '', project_id: null }, data));
  }

  #ask(request: { run_id?: string; after: number; limit: number }): Promise<CommandOutputPage> {
    const origin = { caller: serviceCaller('realtime'), requestId: newId() };
    return this.#commands.readCommandOutput({ command_id: this.#commandId, ...request }, origin);
  }
}

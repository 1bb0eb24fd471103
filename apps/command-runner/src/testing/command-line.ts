import type { Command, ExecuteCommandRequest } from '@claude-cli/proto/platform/v1/commands';
import { as, type TestRunner } from './harness.ts';

/** Runs direct commands of an admin, whatever their safety. */
export class CommandLine {
  readonly #runner: TestRunner;

  constructor(runner: TestRunner) {
    this.#runner = runner;
  }

  /** Start a command; answers its id. */
  async start(command: string, more: Partial<ExecuteCommandRequest> = {}): Promise<string> {
    const request = { environment: {}, timeout: 30, stream_output: false, force: true, ...more, command };
    return (await this.#runner.commands.executeCommand(request, as('root', 'admin'))).command_id;
  }

  /** A command as it is now. */
  status(command_id: string): Promise<Command> {
    return this.#runner.commands.getCommandStatus({ command_id }, as('root', 'admin'));
  }

  /** A command once it has ended. */
  async ended(id: string): Promise<Command> {
    // Not by asking for its output again and again, which may be large.
    await this.#runner.ctx.running.get(id)?.ended;
    return this.status(id);
  }

  /** Run a command to its end. */
  async run(command: string, more: Partial<ExecuteCommandRequest> = {}): Promise<Command> {
    return this.ended(await this.start(command, more));
  }
}

/** What a command wrote. */
export function writtenBy({ output }: Pick<Command, 'output'>, stream = 'stdout'): string {
  return output.map((piece) => (piece.stream === stream ? piece.content : '')).join('');
}

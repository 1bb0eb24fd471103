import { ApiError } from './errors.ts';
import { Commands } from './gen/resources.ts';
import type { Command } from './gen/types.ts';
import type { Http } from './http.ts';
import type { CallOptions } from './operation.ts';
import { pause } from './pause.ts';
import { serverEvents } from './server-events.ts';

/** Something that a command wrote. */
export interface OutputLine {
  /** stdout, stderr, or system for notes of the runner itself. */
  stream: string;
  content: string;
  /** When it was read, in ISO 8601. */
  timestamp: string;
}

/** Streams in a row that ended soon, without any output, after which it is given up; and how soon, in milliseconds. */
const patience = { attempts: 20, soonMs: 30_000 };
/** Looks at a command that has ended, until its record says so, and the pause between them in milliseconds. */
const looks = { most: 20, pauseMs: 250 };

/** Endpoints below `client.commands`, and the output of commands as it is written. */
export class StreamingCommands extends Commands {
  readonly #http: Http;

  constructor(http: Http) {
    super(http);
    this.#http = http;
  }

  /**
   * What a command, or the execution of a task, has written and writes, until it has ended. Returns the command at its end.
   *
   * Begins with the stored output and goes on live, without hole or double; where the connection is lost, or this side read
   * too slowly, it goes on where it was. What is missing is what the platform itself did not store of very long output:
   * `outputTruncated` of the returned command says so.
   */
  async *stream(commandId: string, options: CallOptions = {}): AsyncGenerator<OutputLine, Command> {
    const progress: Progress = { commandId, place: undefined, failures: 0, askedAgain: new Set() };
    while (!(yield* this.#follow(progress, options))) {
      if (progress.failures > 0) await this.#http.pause(progress.failures, options.signal);
    }
    return this.#ended(commandId, options);
  }

  /** Read on from where it is. @returns whether the command has ended */
  async *#follow(progress: Progress, options: CallOptions): AsyncGenerator<OutputLine, boolean> {
    const path = `/commands/${encodeURIComponent(progress.commandId)}/stream`;
    const openedAt = Date.now();
    progress.failures += 1;
    try {
      const response = await this.#http.open(path, options, progress.place);
      for await (const { event, data, lastId } of serverEvents(response, options.signal)) {
        const told = (JSON.parse(data) as { data: Record<string, unknown> }).data;
        if (event === 'gap' && isFirst(progress, told)) return false;
        if (lastId !== undefined) progress.place = lastId;
        if (event === 'command_output') {
          progress.failures = 0;
          const { stream, content, timestamp } = told as unknown as OutputLine;
          yield { stream, content, timestamp };
        }
        if (event === 'command_finished') return true;
      }
    } catch (thrown) {
      // What is refused is refused; who was let in before waits until the platform is there again.
      const passes = thrown instanceof ApiError && (thrown.status === 0 || thrown.status >= 500);
      if (!passes || progress.place === undefined) throw thrown;
    }
    options.signal?.throwIfAborted();
    if (Date.now() - openedAt > patience.soonMs) progress.failures = 0;
    if (progress.failures >= patience.attempts) {
      throw new ApiError('The stream ends again and again', { code: 'CONNECTION_CLOSED' });
    }
    return false;
  }

  async #ended(commandId: string, options: CallOptions): Promise<Command> {
    for (let look = 1; ; look++) {
      const command = await this.status(commandId, options);
      if (command.status !== 'running' || look >= looks.most) return command;
      await pause(looks.pauseMs, options.signal);
    }
  }
}

/** How far a stream has come. */
interface Progress {
  commandId: string;
  /** Id of the last event. */
  place: string | undefined;
  failures: number;
  askedAgain: Set<string>;
}

/** Whether a gap was not heard of before: what lacks because this side was slow is stored, and is read from there. */
function isFirst(progress: Progress, { epoch, from }: Record<string, unknown>): boolean {
  const key = `${epoch}:${from}`;
  if (typeof epoch !== 'string' || typeof from !== 'number' || progress.askedAgain.has(key)) return false;
  progress.askedAgain.add(key);
  progress.place = `${epoch}:${from - 1}`;
  return true;
}

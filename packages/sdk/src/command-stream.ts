import { ApiError } from './errors.ts';
import { Commands } from './gen/resources.ts';
import type { Command } from './gen/types.ts';
import type { LiveConnection } from './live.ts';
import type { LiveEvents } from './live-messages.ts';
import type { CallOptions } from './operation.ts';
import { type OutputLine, OutputMerge } from './output-merge.ts';
import { unlessAborted } from './pause.ts';
import type { Caller } from './resource.ts';

/** How a stream is watched. */
export interface StreamOptions extends CallOptions {
  /** Where to hear live output; a session of its own is opened, and deleted afterwards, when absent. */
  sessionId?: string;
}

/** What a stream needs of the client. */
export interface StreamDoors {
  connect(sessionId: string): LiveConnection;
  openSession(options: CallOptions): Promise<string>;
  deleteSession(sessionId: string): Promise<unknown>;
}

/** Pauses between looks at whether the command still runs, in milliseconds. */
const firstLookMs = 500;
const mostLookMs = 5_000;
/** Live pieces that wait for whoever reads; more are let go and read again from what is stored. */
const mostHeld = 10_000;

/** Endpoints below `client.commands`, and the output of commands as it is written. */
export class StreamingCommands extends Commands {
  readonly #doors: StreamDoors;

  constructor(caller: Caller, doors: StreamDoors) {
    super(caller);
    this.#doors = doors;
  }

  /**
   * What a command, or the execution of a task, has written and writes, until it has ended. Returns the command at its end.
   *
   * Begins with the stored output and goes on live, without doubles. Where live output was missed (a connection was lost,
   * this side read too slowly), it is read from what is stored; nothing is missing as long as the platform stores the output
   * whole (`outputTruncated` of the returned command is false) and the command does not write more than some 60 KB per
   * 30 ms while the stream begins.
   */
  async *stream(commandId: string, options: StreamOptions = {}): AsyncGenerator<OutputLine, Command> {
    const { sessionId: given, ...call } = options;
    const first = await this.status(commandId, call);
    const merge = new OutputMerge();
    const told = merge.telling();
    yield* first.output.filter(told);
    if (first.status !== 'running') return first;
    const sessionId = given ?? (await this.#doors.openSession(call));
    const live = this.#doors.connect(sessionId);
    try {
      return yield* this.#follow(commandId, first.taskId, live, merge, call);
    } finally {
      live.close();
      // It expires by itself when this fails.
      if (given === undefined) await this.#doors.deleteSession(sessionId).catch(() => {});
    }
  }

  async *#follow(
    commandId: string,
    taskId: string | null,
    live: LiveConnection,
    merge: OutputMerge,
    call: CallOptions,
  ): AsyncGenerator<OutputLine, Command> {
    const feed = new Feed(live, commandId, taskId, call.signal);
    await unlessAborted(live.subscribe('command_output', { commandId }), call.signal);
    if (taskId !== null) await unlessAborted(live.subscribe('task_updates', { taskId }), call.signal);
    const isNew = merge.telling();
    let sequence: number | undefined;
    let lookMs = firstLookMs;
    let look = true;
    for (;;) {
      const pieces = feed.take();
      // Pieces before the first one, or before one after a jump, are stored by the time that one is heard.
      const jumped = pieces.some(
        (piece, index) => piece.sequence > (pieces[index - 1]?.sequence ?? sequence ?? -1) + 1,
      );
      if (look || jumped) {
        const command = await this.status(commandId, call);
        yield* command.output.filter(merge.telling());
        if (command.status !== 'running') return command;
      }
      yield* pieces.filter(isNew).map(({ stream, content, timestamp }) => ({ stream, content, timestamp }));
      sequence = pieces.at(-1)?.sequence ?? sequence;
      const heard = await feed.wait(lookMs);
      look = heard !== 'output';
      if (heard === 'nothing') lookMs = Math.min(mostLookMs, lookMs * 1.5);
    }
  }
}

type Piece = LiveEvents['command_output'];

/** What is heard of one command, kept until it is taken. */
class Feed {
  readonly #signal: AbortSignal | undefined;
  #held: Piece[] = [];
  #missed = false;
  #ended = false;
  #failure: ApiError | undefined;
  #wake: () => void = () => {};

  constructor(live: LiveConnection, commandId: string, taskId: string | null, signal: AbortSignal | undefined) {
    this.#signal = signal;
    live.on('command_output', (piece: Piece) => {
      if (piece.commandId !== commandId) return;
      if (this.#held.length < mostHeld) this.#held.push(piece);
      else this.#missed = true;
      this.#wake();
    });
    const missed = () => {
      this.#missed = true;
      this.#wake();
    };
    live.on('reconnected', missed);
    live.on('gap', missed);
    live.on('task_update', (update: LiveEvents['task_update']) => {
      if (update.taskId !== taskId || update.status === 'running') return;
      this.#ended = true;
      this.#wake();
    });
    live.on('closed', ({ code, reason }: LiveEvents['closed']) => {
      this.#failure = new ApiError(`The live connection has ended: ${code} ${reason}`, { code: 'CONNECTION_CLOSED' });
      this.#wake();
    });
    signal?.addEventListener('abort', () => this.#wake(), { once: true });
  }

  /** What was heard since the last time. */
  take(): Piece[] {
    this.#signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    return this.#held.splice(0);
  }

  /** Wait until there is something to do. @throws the signal's reason */
  async wait(ms: number): Promise<'output' | 'look' | 'nothing'> {
    if (!this.#hasNews()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const look = this.#missed || this.#ended;
    this.#missed = false;
    this.#ended = false;
    if (look) return 'look';
    return this.#held.length > 0 ? 'output' : 'nothing';
  }

  #hasNews(): boolean {
    const { aborted = false } = this.#signal ?? {};
    return this.#held.length > 0 || this.#missed || this.#ended || this.#failure !== undefined || aborted;
  }
}

import type { RunningProcess } from '../processes/running-process.ts';
import type { Exceeded } from '../processes/usage-meter.ts';
import type { CommandEnd } from './command.ts';

/** Why a command is stopped before its end. */
export type StopReason = 'cancelled' | 'timed out' | 'lease lost' | 'runner stopped' | 'hung' | Exceeded;

/** A command of this runner, from before its process exists until its end is stored. */
export class RunningCommand {
  readonly id: string;
  readonly run_id: string;
  /** Why it was told to stop, if so; the first reason counts. */
  stopped: StopReason | undefined;
  /** How far it is by its own account, in percent; undefined until it says so. */
  progress: number | undefined;
  #process: RunningProcess | undefined;
  #killAfterMs: number | undefined;
  readonly #exited = Promise.withResolvers<void>();
  readonly #end = Promise.withResolvers<CommandEnd>();
  readonly #reported = Promise.withResolvers<void>();

  constructor(id: string, runId: string) {
    this.id = id;
    this.run_id = runId;
  }

  /** Process id, once there is one. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** When its process has ended and all output was read, or there will be none. Never rejects. */
  get exited(): Promise<void> {
    return this.#exited.promise;
  }

  /** When its end is stored. Never rejects. */
  get ended(): Promise<CommandEnd> {
    return this.#end.promise;
  }

  /** When the broker has the report of its end, if there is one to give. Never rejects. */
  get reported(): Promise<void> {
    return this.#reported.promise;
  }

  /** Say that its process has ended. */
  exit(): void {
    this.#exited.resolve();
  }

  /** Tie it to its process. A command that was told to stop meanwhile stops now. */
  attach(running: RunningProcess): void {
    this.#process = running;
    if (this.stopped) running.stop(this.#killAfterMs);
  }

  /** Stop the process with all that it started. Without effect on the outcome when the process has just ended by itself. */
  stop(reason: StopReason, killAfterMs?: number): void {
    this.#killAfterMs = killAfterMs;
    if (this.#process && !this.#process.stop(killAfterMs)) return;
    this.stopped ??= reason;
  }

  /** Say how it ended, and when that is known to others. */
  close(end: CommandEnd, reported: Promise<void>): void {
    this.#exited.resolve();
    this.#end.resolve(end);
    this.#reported.resolve(reported);
  }
}

/** The commands of this runner, by id. */
export class RunningCommands {
  readonly #byId = new Map<string, RunningCommand>();

  add(command: RunningCommand): void {
    this.#byId.set(command.id, command);
  }

  remove(command: RunningCommand): void {
    if (this.#byId.get(command.id) === command) this.#byId.delete(command.id);
  }

  get(id: string): RunningCommand | undefined {
    return this.#byId.get(id);
  }

  all(): RunningCommand[] {
    return [...this.#byId.values()];
  }

  /** Whether this very attempt is here. */
  hasRun(runId: string): boolean {
    return this.all().some((command) => command.run_id === runId);
  }
}

import { readdir, readFile } from 'node:fs/promises';
import type { Logger } from '@claude-cli/shared/logger';
import { markName, readMark } from './environment.ts';
import { isSameProcess } from './identity.ts';
import type { Runner } from './runner.ts';

/** A process that belongs to no run any more. */
export interface Stray {
  pid: number;
  run_id: string;
}

/**
 * Kill processes of this machine that a run in our workspace started and that outlived it: their runner is dead, or it is this one
 * and the run is over. A process is known by the mark in its environment, so neither leaving its group nor a recycled
 * process id deceives. Does nothing where there is no /proc.
 */
export async function killStrays(me: Runner, workspaceId: string, runs: (runId: string) => boolean): Promise<Stray[]> {
  const killed: Stray[] = [];
  const entries = await readdir('/proc').catch(() => []);
  for (const entry of entries) {
    if (!/^\d+$/.test(entry) || Number(entry) === process.pid) continue;
    const mark = readMark((await markIn(entry)) ?? '');
    if (!mark || mark.workspace_id !== workspaceId || isWanted(mark, me, runs)) continue;
    const pid = Number(entry);
    try {
      process.kill(pid, 'SIGKILL');
      killed.push({ pid, run_id: mark.run_id });
    } catch {
      // It has ended meanwhile, or is somebody else's.
    }
  }
  return killed;
}

function isWanted(
  mark: NonNullable<ReturnType<typeof readMark>>,
  me: Runner,
  runs: (runId: string) => boolean,
): boolean {
  return mark.runner_id === me.runner_id ? runs(mark.run_id) : isSameProcess(mark.pid, mark.started);
}

async function markIn(pid: string): Promise<string | undefined> {
  // Unreadable for processes of other users, empty for kernel threads.
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
  const start = `${markName}=`;
  return environment
    .split('\0')
    .find((entry) => entry.startsWith(start))
    ?.slice(start.length);
}

/** How long after the end of a run strays are looked for, in milliseconds: many runs that end share a look. */
const soonMs = 1_000;
/** Most looks in a row: processes that start others faster than they are killed must not keep us. */
const mostRounds = 10;

/** Looks for strays, one look at a time. */
export class StrayHunt implements AsyncDisposable {
  readonly #kill: () => Promise<Stray[]>;
  readonly #log: Logger;
  #timer: NodeJS.Timeout | undefined;
  #hunting: Promise<void> | undefined;

  constructor(kill: () => Promise<Stray[]>, log: Logger) {
    this.#kill = kill;
    this.#log = log;
  }

  /** Kill what outlived its run. Never rejects. */
  async hunt(): Promise<void> {
    // One that is under way may have passed what we are asked about.
    await this.#hunting;
    this.#hunting ??= this.#rounds().finally(() => {
      this.#hunting = undefined;
    });
    await this.#hunting;
  }

  /** A run has ended: look in a moment. */
  huntSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.hunt();
    }, soonMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#hunting;
  }

  async #rounds(): Promise<void> {
    try {
      for (let round = 0; round < mostRounds; round++) {
        const strays = await this.#kill();
        if (strays.length === 0) return;
        this.#log.warn(
          { strays: strays.slice(0, 20), count: strays.length },
          'killed processes that outlived their run',
        );
      }
    } catch (err) {
      this.#log.warn({ err }, 'looking for strays failed');
    }
  }
}

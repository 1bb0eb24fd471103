import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from '../../scripts/api-client.ts';
import { shellQuote } from '../../scripts/source-report.ts';
import type { Queued } from './tasks.ts';

/** An execution that was accepted. */
export interface Accepted {
  taskId: string;
  executionId: string;
  /** Attempts that it may take. */
  attempts: number;
  /** Whether it was asked to be cancelled, and the platform said that it did. */
  cancelled: boolean;
  /** Where each of its runs says that it begins, and that it is through. */
  file: string;
}

/** What a process of an execution wrote into its file, in the order of time. */
export interface Mark {
  what: 'start' | 'end';
  pid: number;
}

/** Seconds that a run takes at most, little less than that: some are always under way. */
const longestRun = 3;

/** Executions that are asked for while things go wrong. */
export class Workload {
  readonly accepted: Accepted[] = [];
  /** Tasks of which nobody can say whether their execution was accepted: the answer did not come. */
  readonly unclear: { taskId: string; file: string }[] = [];
  readonly #api: ApiClient;
  readonly #projectId: string;
  readonly #scratch: string;
  readonly #random: () => number;
  #made = 0;

  /** @param scratch directory for the files of the executions */
  constructor(api: ApiClient, projectId: string, scratch: string, random: () => number) {
    this.#api = api;
    this.#projectId = projectId;
    this.#scratch = scratch;
    this.#random = random;
  }

  /** Get so many executions accepted, evenly over a time; what the platform did not take is made up for as soon as it does. */
  async accept(count: number, overMs: number, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    while (this.accepted.length < count) {
      signal.throwIfAborted();
      const early = (overMs * this.accepted.length) / count - (performance.now() - started);
      if (early > 0) await delay(early);
      else if (!(await this.#acceptOne())) await delay(100);
    }
  }

  /** Cancel one that was accepted lately, if the platform is there to do it. */
  async cancelOne(): Promise<void> {
    const lately = this.accepted.slice(-8);
    const one = lately[Math.floor(this.#random() * lately.length)];
    if (!one) return;
    const answer = await this.#ask('POST', `/api/tasks/${one.taskId}/cancel`, { reason: 'Chance' });
    if (answer?.status === 200) one.cancelled = true;
  }

  async #acceptOne(): Promise<boolean> {
    const file = join(this.#scratch, `run-${this.#made++}`);
    const seconds = (0.05 + this.#random() * longestRun).toFixed(2);
    const quoted = shellQuote(file);
    const command = `echo start $$ >> ${quoted}; sleep ${seconds}; echo end $$ >> ${quoted}`;
    const body = { title: 'Faults', project_id: this.#projectId, command };
    const created = await this.#ask('POST', '/api/tasks/', body);
    if (created?.status !== 201) return false;
    const taskId = (created.body.data as { id: string }).id;
    // Half of them may not be tried again: those tell whether something is run twice.
    const retry_attempts = this.#random() < 0.5 ? 0 : 5;
    const priority = ['high', 'normal', 'low'][Math.floor(this.#random() * 3)];
    const answer = await this.#ask('POST', `/api/tasks/${taskId}/execute`, { priority, options: { retry_attempts } });
    if (answer?.status === 200) {
      const { execution_id: executionId } = answer.body.data as Queued;
      this.accepted.push({ taskId, executionId, attempts: retry_attempts + 1, cancelled: false, file });
      return true;
    }
    this.unclear.push({ taskId, file });
    return false;
  }

  /** An answer, or undefined when none came. */
  #ask(method: string, path: string, body: unknown) {
    return this.#api.request(method, path, body).catch(() => undefined);
  }
}

/** What the runs of an execution left in its file. */
export function marksIn(file: string): Mark[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [what, pid] = line.split(' ');
      if (what !== 'start' && what !== 'end') throw new Error(`${file} has a line that no run writes: ${line}`);
      return { what, pid: Number(pid) };
    });
}

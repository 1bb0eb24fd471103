import type { Item } from './item.ts';

/** Runs per project of which it is known how far they have come. */
const mostRuns = 1_000;

/** How far the runs have come whose output is shown: so that a hole in what the broker sends is noticed. */
export class OutputNumbers {
  readonly #byProject = new Map<string, Map<string, number>>();

  /** Take note of output. @returns the numbers that should have come before it and did not, both included */
  note({ event, epoch, seq, end }: Item): { from: number; to: number } | undefined {
    if (event.type !== 'command.output') return undefined;
    const project = event.project_id ?? event.data.command_id;
    const runs = this.#byProject.get(project) ?? new Map<string, number>();
    this.#byProject.set(project, runs);
    const last = runs.get(epoch);
    runs.delete(epoch);
    if (!event.data.end) runs.set(epoch, Math.max(end, last ?? 0));
    if (runs.size > mostRuns) runs.delete(runs.keys().next().value as string);
    if (runs.size === 0) this.#byProject.delete(project);
    return last !== undefined && seq > last + 1 ? { from: last + 1, to: seq - 1 } : undefined;
  }

  /** What is not watched any more comes later with a hole that says nothing. @param project or the direct command */
  forget(project: string): void {
    this.#byProject.delete(project);
  }
}

import { type ProcStat, readAllStats, readMemory, readProportionalMemory, ticksPerSecond } from './proc-stat.ts';

/** When what has begun is first looked at, in milliseconds. */
const firstLookMs = 20;
/** Pause between looks, in milliseconds, longer where a look takes more than a fiftieth of it, up to the most. */
const pause = { lookMs: 200, looks: 50, mostMs: 1_000 };

/** What a run took. */
export interface Usage {
  /** Processor time in seconds, told in hundredths; null where it cannot be told. */
  cpu_seconds: number | null;
  /** Most memory at a time, in bytes; null where it cannot be told. */
  peak_memory_bytes: number | null;
}

/** What a run must not take more of. */
export type Exceeded = 'memory limit' | 'cpu limit';

/** Bounds of a whole run. */
export interface UsageLimits {
  memoryBytes?: number | undefined;
  cpuSeconds?: number | undefined;
}

interface Metered {
  root: number;
  limits: UsageLimits;
  exceeded: (what: Exceeded) => void;
  ticks: number;
  peak: number;
  settle: (usage: Usage) => void;
}

/** A run that is measured. */
export interface Meter {
  /** Look at its first process now: what ends before the next look is seen at least once. */
  look(): void;
  /** Call it when the run's first process has ended. Resolves when what has ended is settled. */
  ended(): Promise<Usage>;
}

/**
 * Measures runs without slowing them down. Processor time: the kernel adds the time of a child that has ended, and of all that
 * it waited for, to a counter of their parent. Between two reads of it usually one child ends, so the difference is
 * its time, to a hundredth of a second; what several that end in the same moment took is shared among them. Memory, and the
 * time of what runs on, are sampled from /proc. One for each parent, because the counter is.
 */
export class UsageMeter {
  readonly #runs = new Map<number, Metered>();
  #ended: Metered[] = [];
  #counted = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Measure what a process and its descendants take, from its start on. */
  start(root: number, limits: UsageLimits, exceeded: (what: Exceeded) => void): Meter {
    const { promise, resolve } = Promise.withResolvers<Usage>();
    const run: Metered = { root, limits, exceeded, ticks: 0, peak: readMemory(root).most, settle: resolve };
    this.#runs.set(root, run);
    this.#timer ??= setTimeout(() => this.#look(), firstLookMs).unref();
    return {
      look: () => {
        run.peak = Math.max(run.peak, readMemory(root).most);
      },
      ended: () => {
        if (this.#runs.get(root) === run) this.#runs.delete(root);
        this.#ended.push(run);
        return promise;
      },
    };
  }

  /**
   * Tell what has ended since the last time what it took.
   * @param total counter of their parent, in ticks; undefined where it cannot be told, and when the parent has died
   */
  settle(total: number | undefined): void {
    const ended = this.#ended;
    this.#ended = [];
    const known = ended.reduce((sum, run) => sum + run.ticks, 0);
    const rest = Math.max(0, (total ?? 0) - this.#counted - known) / ended.length;
    this.#counted = total ?? 0;
    for (const { ticks, peak, settle } of ended) {
      const hundredths = Math.round(((ticks + rest) * 100) / ticksPerSecond);
      settle({ cpu_seconds: total === undefined ? null : hundredths / 100, peak_memory_bytes: peak || null });
    }
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#runs.size === 0) return;
    const before = performance.now();
    for (const [root, members] of membersOf(readAllStats(), this.#runs)) {
      const run = this.#runs.get(root);
      if (run) sample(run, members);
    }
    const took = performance.now() - before;
    this.#timer = setTimeout(
      () => this.#look(),
      Math.min(pause.mostMs, Math.max(pause.lookMs, took * pause.looks)),
    ).unref();
  }
}

function sample(run: Metered, members: ProcStat[]): void {
  const ticks = members.reduce((sum, member) => sum + member.ticks + member.childTicks, 0);
  const memory = members.map(({ pid }) => readMemory(pid));
  const now = memory.reduce((sum, each) => sum + each.now, 0);
  run.ticks = Math.max(run.ticks, ticks);
  run.peak = memory.reduce((peak, each) => Math.max(peak, each.most), Math.max(run.peak, now));
  const { cpuSeconds, memoryBytes } = run.limits;
  if (cpuSeconds !== undefined && run.ticks > cpuSeconds * ticksPerSecond) run.exceeded('cpu limit');
  // What processes share counts for each of them; before a run is ended for it, it is counted once.
  if (memoryBytes === undefined || now <= memoryBytes) return;
  const proportional = members.reduce((sum, { pid }) => sum + readProportionalMemory(pid), 0);
  if (proportional > memoryBytes) run.exceeded('memory limit');
}

/** Processes by the run that they belong to: what descends from its first process, or is still in the session of it. */
export function membersOf(all: ProcStat[], roots: { has(pid: number): boolean }): Map<number, ProcStat[]> {
  const byId = new Map(all.map((stat) => [stat.pid, stat]));
  const known = new Map<number, number | undefined>();
  const members = new Map<number, ProcStat[]>();
  for (const stat of all) {
    // Without recursion: whoever nests processes deeply must not overflow our stack.
    const path: ProcStat[] = [];
    let at: ProcStat | undefined = stat;
    let root: number | undefined;
    for (; at && !known.has(at.pid) && root === undefined; at = byId.get(at.parent)) {
      root = [at.pid, at.session].find((id) => roots.has(id));
      path.push(at);
      known.set(at.pid, root);
    }
    root ??= at && known.get(at.pid);
    for (const each of path) known.set(each.pid, root);
    if (root === undefined) continue;
    const found = members.get(root);
    if (found) found.push(stat);
    else members.set(root, [stat]);
  }
  return members;
}

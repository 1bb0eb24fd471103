import { readFile } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fieldOf, percentBetween, percentOf, processorsIn, type Reading } from './usage.ts';

/** How busy the container is, or the machine where the container has no limits of its own. In percent. */
export interface MachineUsage {
  cpu_usage: number;
  memory_usage: number;
}

/** Where a container finds its control group (version 2), mounted as its own root. */
const ownGroup = '/sys/fs/cgroup';
/** A reading that is older than this says nothing of now; a fresh one is taken, and another after a pause. In milliseconds. */
const staleMs = 15_000;
const pauseMs = 200;
/** Readings that are closer to each other are too coarse to compare, in milliseconds. */
const leastMs = 100;

/** Measures what is used of processors and memory. */
export class Machine {
  readonly #group: string;
  #last: { reading: Reading; at: number; percent: number } | undefined;
  #measuring: Promise<MachineUsage> | undefined;

  /** @param group folder of the control group */
  constructor(group = ownGroup) {
    this.#group = group;
  }

  /** What is used now; of the processors, since the last time, or in a moment when that is long ago. */
  usage(): Promise<MachineUsage> {
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  async #measure(): Promise<MachineUsage> {
    const [cpu_usage, memory] = await Promise.all([this.#cpuPercent(), this.#memory()]);
    return { cpu_usage, memory_usage: percentOf(memory) };
  }

  async #cpuPercent(): Promise<number> {
    const now = performance.now();
    if (this.#last && now - this.#last.at < leastMs) return this.#last.percent;
    let before = this.#last?.reading;
    if (!this.#last || now - this.#last.at > staleMs) {
      before = await this.#processors();
      await setTimeout(pauseMs);
    }
    const reading = await this.#processors();
    const percent = before ? percentBetween(before, reading) : 0;
    this.#last = { reading, at: performance.now(), percent };
    return percent;
  }

  /** In milliseconds of one processor. */
  async #processors(): Promise<Reading> {
    const [limit, stat] = await Promise.all([this.#read('cpu.max'), this.#read('cpu.stat')]);
    const processors = limit === undefined ? undefined : processorsIn(limit);
    const usedUs = stat === undefined ? undefined : fieldOf(stat, 'usage_usec');
    if (processors !== undefined && usedUs !== undefined) {
      return { used: usedUs / 1_000, available: performance.now() * Math.min(processors, availableParallelism()) };
    }
    const times = cpus().map(({ times: { user, nice, sys, idle, irq } }) => [user + nice + sys + irq, idle] as const);
    const used = times.reduce((sum, [busy]) => sum + busy, 0);
    return { used, available: times.reduce((sum, [, idle]) => sum + idle, used) };
  }

  /** In bytes. What the system would give back at once, such as cached files, is not counted as used. */
  async #memory(): Promise<Reading> {
    const [limit, current, stat] = await Promise.all(
      ['memory.max', 'memory.current', 'memory.stat'].map((name) => this.#read(name)),
    );
    const available = Number(limit);
    if (available > 0 && available < totalmem() && current !== undefined) {
      const cached = fieldOf(stat ?? '', 'inactive_file') ?? 0;
      return { used: Math.max(0, Number(current) - cached), available };
    }
    return { used: totalmem() - freemem(), available: totalmem() };
  }

  async #read(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#group, name), 'utf8');
    } catch {
      return undefined;
    }
  }
}

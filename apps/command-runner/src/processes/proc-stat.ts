import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc per second: the same on every Linux that Node runs on. */
export const ticksPerSecond = 100;

/** What /proc tells of a process. */
export interface ProcStat {
  pid: number;
  /** One letter; Z is a zombie. */
  state: string;
  parent: number;
  session: number;
  /** Processor time of its own, in ticks. */
  ticks: number;
  /** Processor time of the children that it has waited for, and of theirs, in ticks. */
  childTicks: number;
  /** When it started, in ticks since boot. */
  started: string;
}

/** A process as it is now; undefined when there is none, and on systems without /proc. */
export function readStat(pid: number | 'self'): ProcStat | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may contain anything; the third is the first after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const field = (number: number) => fields[number - 3] ?? '';
    return {
      pid: Number.parseInt(stat, 10),
      state: field(3),
      parent: Number(field(4)),
      session: Number(field(6)),
      ticks: Number(field(14)) + Number(field(15)),
      childTicks: Number(field(16)) + Number(field(17)),
      started: field(22),
    };
  } catch {
    return undefined;
  }
}

/** Every process that can be seen. */
export function readAllStats(): ProcStat[] {
  return processIds().flatMap((pid) => readStat(pid) ?? []);
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').flatMap((entry) => (/^\d+$/.test(entry) ? Number(entry) : []));
  } catch {
    return [];
  }
}

/** Memory of a process in bytes: what it holds now, and the most that it ever held. Nothing once it has ended. */
export function readMemory(pid: number): { now: number; most: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    return { now: kibibytes(status, 'VmRSS'), most: kibibytes(status, 'VmHWM') };
  } catch {
    return { now: 0, most: 0 };
  }
}

/** Memory of a process in bytes, with its part of what it shares with others. */
export function readProportionalMemory(pid: number): number {
  try {
    return kibibytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'), 'Pss');
  } catch {
    return readMemory(pid).now;
  }
}

function kibibytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

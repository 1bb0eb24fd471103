import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds in which Linux counts processor time. */
const tick = 10_000;

interface Stat {
  name: string;
  parent: number;
  /** Ticks of the process itself. */
  own: number;
  /** Ticks of its children that have ended. */
  ofEnded: number;
}

function statOf(pid: number | string | undefined): Stat | undefined {
  try {
    const [start = '', rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) (?=[A-Z] )/);
    const fields = rest.split(' ');
    const [own = 0, ofEnded = 0] = [11, 13].map((n) => Number(fields[n]) + Number(fields[n + 1]));
    return { name: start.slice(start.indexOf('(') + 1), parent: Number(fields[1]), own, ofEnded };
  } catch {
    return undefined;
  }
}

/** Processor time of a process in microseconds, from Linux in steps of 10 ms; NaN elsewhere. */
export function processorTime(pid: number | undefined): number {
  return (statOf(pid)?.own ?? Number.NaN) * tick;
}

/**
 * Processor time in microseconds of everything that descends from this process, and of what has ended below it, by the name of
 * the app, or of the program where it is none of ours. Empty where there is no /proc.
 */
export function processorTimes(): Map<string, number> {
  const times = new Map<string, number>();
  for (const pid of pids()) {
    const app = appOf(pid);
    const stat = statOf(pid);
    if (app === undefined || !stat) continue;
    times.set(app, (times.get(app) ?? 0) + (stat.own + stat.ofEnded) * tick);
  }
  return times;
}

function pids(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** The app that a descendant belongs to, which its nearest ancestor with a name of one says; undefined when it is no descendant. */
function appOf(pid: string): string | undefined {
  let app: string | undefined;
  let stat = statOf(pid);
  const program = stat?.name;
  for (let at = pid; stat && stat.parent > 0; stat = statOf(at)) {
    app ??= /\/(?:apps|packages)\/([a-z-]+)\//.exec(commandLine(at))?.[1];
    if (stat.parent === process.pid) return app ?? program;
    at = String(stat.parent);
  }
  return undefined;
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

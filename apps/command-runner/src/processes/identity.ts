import { readFileSync } from 'node:fs';
import { readStat } from './proc-stat.ts';

/**
 * When a process started, in a form that no later process with the same id can have: the boot, and the kernel's clock
 * ticks since then. Undefined when there is no such process, and on systems without /proc, where a process id alone
 * proves nothing.
 */
export function startOf(pid: number): string | undefined {
  const stat = readStat(pid);
  return stat === undefined || stat.state === 'Z' ? undefined : startedAt(stat.started);
}

/** The same from the kernel's clock ticks. */
export function startedAt(ticks: string): string {
  return `${bootId()}:${ticks}`;
}

/** Whether the process that was seen to start then still runs. */
export function isSameProcess(pid: number | null, started: string | null): boolean {
  return pid !== null && started !== null && startOf(pid) === started;
}

/** Send a signal to a whole process group. False when nobody is left in it. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return boot;
}

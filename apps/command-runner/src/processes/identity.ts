import { readFileSync } from 'node:fs';

/**
 * When a process started, in a form that no later process with the same id can have: the boot, and the kernel's clock
 * ticks since then. Undefined when there is no such process, and on systems without /proc, where a process id alone
 * proves nothing.
 */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the name in parentheses and may contain anything; the start is the 22nd of all.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, ticks] = [fields[0], fields[19]];
    return state === 'Z' || ticks === undefined ? undefined : `${bootId()}:${ticks}`;
  } catch {
    return undefined;
  }
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

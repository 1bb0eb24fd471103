import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that can be recognised later, when its pid may have been given to another one. */
export interface ProcessIdentity {
  name: string;
  pid: number;
  /** When it started, in the words of the operating system. */
  started: string;
}

/** The identity of a running process; undefined when there is none with this pid. */
export function identify(name: string, pid: number): ProcessIdentity | undefined {
  const started = startedAt(pid);
  return started === undefined ? undefined : { name, pid, started };
}

/** Whether the very process still runs, not another one that got its pid. */
export function isRunning(identity: ProcessIdentity): boolean {
  return startedAt(identity.pid) === identity.started;
}

/** Send a signal to a process group that a process leads, or to the process alone when it leads none. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, signal);
      return;
    } catch {
      // It is gone already, or leads no group.
    }
  }
}

function startedAt(pid: number): string | undefined {
  return fromProc(pid) ?? fromPs(pid);
}

function fromProc(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; state is the first field after it, the start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z') return undefined;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${fields[19]}`;
  } catch {
    return undefined;
  }
}

function fromPs(pid: number): string | undefined {
  if (process.platform === 'linux') return undefined;
  const { stdout } = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout?.trim() || undefined;
}

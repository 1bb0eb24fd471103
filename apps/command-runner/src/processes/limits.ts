import type { Program } from './shell.ts';

/** Bounds of what a command may take; an absent one is not set. */
export interface ProcessLimits {
  /** Largest file that a process may write, in bytes. */
  fileBytes?: number | undefined;
  /** Memory of a process and of the whole run, in bytes. */
  memoryBytes?: number | undefined;
  /** Processor time of a process and of the whole run, in seconds. */
  cpuSeconds?: number | undefined;
  /** Processes and threads of the user that runs it: of one run in bubblewrap. Without effect for root. */
  processes?: number | undefined;
}

/** Processes that a run, or a user of its own, may have when the configuration does not say. */
export const defaultProcesses = 1024;

/** Seconds between SIGXCPU, which a process may catch to tidy up, and SIGKILL. */
const lastWordsSeconds = 2;

/**
 * A program behind limits that a shell sets before it becomes the program. A limit that this system does not know, or
 * that is already lower, is passed over. A program that is not found makes the shell say so and exit with 127.
 */
export function limited({ file, args }: Program, limits: ProcessLimits): Program {
  const set = ['ulimit -c 0'];
  // POSIX counts file size in blocks of 512 bytes; memory is in KiB wherever it can be limited.
  if (limits.fileBytes !== undefined) set.push(`ulimit -f ${Math.ceil(limits.fileBytes / 512)}`);
  // What it may write to, not its address space: runtimes such as V8 and Go reserve gigabytes that they never touch.
  if (limits.memoryBytes !== undefined) set.push(`ulimit -d ${Math.ceil(limits.memoryBytes / 1024)}`);
  if (limits.cpuSeconds !== undefined) {
    set.push(`ulimit -H -t ${limits.cpuSeconds + lastWordsSeconds}`, `ulimit -S -t ${limits.cpuSeconds}`);
  }
  // dash names it -p, bash -u.
  if (limits.processes !== undefined) set.push(`{ ulimit -p ${limits.processes} || ulimit -u ${limits.processes}; }`);
  return { file: '/bin/sh', args: ['-c', `{ ${set.join('; ')}; } 2>/dev/null; exec "$@"`, 'sh', file, ...args] };
}

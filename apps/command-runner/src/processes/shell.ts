/** Bounds of one process of a command; an absent one is not set. */
export interface ProcessLimits {
  /** Largest file that it may write, in bytes. */
  fileBytes?: number | undefined;
  /** Address space, in bytes. */
  memoryBytes?: number | undefined;
  /** Processes of the runner's user; without effect for root. */
  processes?: number | undefined;
}

/** A program with its arguments. */
export interface Program {
  file: string;
  args: string[];
  /** Why it must not be started. */
  refused?: string;
}

/**
 * A shell command, behind limits that the shell sets before it becomes the command's own shell. A limit that this system
 * does not know, or that is already lower, is passed over.
 */
export function shellProgram(command: string, limits: ProcessLimits): Program {
  const set = ['ulimit -c 0'];
  // POSIX counts file size in blocks of 512 bytes; address space is in KiB wherever there is -v.
  if (limits.fileBytes !== undefined) set.push(`ulimit -f ${Math.ceil(limits.fileBytes / 512)}`);
  if (limits.memoryBytes !== undefined) set.push(`ulimit -v ${Math.ceil(limits.memoryBytes / 1024)}`);
  // dash names it -p, bash -u.
  if (limits.processes !== undefined) set.push(`{ ulimit -p ${limits.processes} || ulimit -u ${limits.processes}; }`);
  const script = `{ ${set.join('; ')}; } 2>/dev/null; exec /bin/sh -c "$1"`;
  return { file: '/bin/sh', args: ['-c', script, 'sh', command] };
}

/**
 * The word that a shell did not find, told from what it wrote; undefined when it cannot be told. dash writes
 * "/bin/sh: 1: word: not found", bash "/bin/sh: line 1: word: command not found".
 */
export function wordNotFound(stderr: string): string | undefined {
  const lines = stderr.matchAll(/^[^\n]*?sh: (?:line )?(?:\d+: )?([^\n]+?): (?:command )?not found$/gm);
  return [...lines].at(-1)?.[1];
}

/** A program with its arguments. */
export interface Program {
  file: string;
  args: string[];
  /** Why it must not be started. */
  refused?: string;
}

/** The shell of commands. */
export const shell = '/bin/sh';

/** The program that runs a shell command. */
export function shellProgram(command: string): Program {
  return { file: shell, args: ['-c', command] };
}

/**
 * The word that a shell did not find, told from what it wrote; undefined when it cannot be told. dash writes
 * "/bin/sh: 1: word: not found", bash "/bin/sh: line 1: word: command not found", both "exec: word: not found".
 */
export function wordNotFound(stderr: string): string | undefined {
  const lines = stderr.matchAll(/^[^\n]*?sh: (?:line )?(?:\d+: )?(?:exec: )?([^\n]+?): (?:command )?not found$/gm);
  return [...lines].at(-1)?.[1];
}

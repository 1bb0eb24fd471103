import type { ProcessEnd } from '../processes/running-process.ts';
import { wordNotFound } from '../processes/shell.ts';
import type { CommandEnd } from './command.ts';
import type { StopReason } from './running-command.ts';

/** What there is to judge an end by. */
export interface Ending {
  process: ProcessEnd;
  stopped: StopReason | undefined;
  timeoutMs: number;
  /** End of what was written to stderr. */
  stderrTail: string;
  /** Why the program says that it failed, although its exit code may be 0. */
  complaint: string | undefined;
}

const byReason = {
  cancelled: { status: 'cancelled', error: 'Cancelled' },
  'lease lost': { status: 'cancelled', error: 'The execution was taken away from this runner' },
  'runner stopped': { status: 'failed', error: 'runner stopped' },
} as const;

/** Status and error of a command, from how its process ended. */
export function judge({
  process,
  stopped,
  timeoutMs,
  stderrTail,
  complaint,
}: Ending): Pick<CommandEnd, 'status' | 'error'> {
  if (process.error) return { status: 'failed', error: process.error };
  if (stopped === 'timed out') return { status: 'timed_out', error: `Timed out after ${timeoutMs / 1000} s` };
  if (stopped) return byReason[stopped];
  if (complaint) return { status: 'failed', error: complaint };
  if (process.exit_code === 0) return { status: 'completed', error: null };
  const word = process.exit_code === 127 ? wordNotFound(stderrTail) : undefined;
  if (word) return { status: 'failed', error: `Command not found: ${word}` };
  if (process.exit_code < 0) return { status: 'failed', error: `Ended by signal ${-process.exit_code}` };
  return { status: 'failed', error: `Exited with code ${process.exit_code}` };
}

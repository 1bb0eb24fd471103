import type { ProcessEnd } from '../processes/running-process.ts';
import { wordNotFound } from '../processes/shell.ts';
import type { CommandEnd } from './command.ts';
import type { StopReason } from './running-command.ts';
import type { Verdict } from './start-command.ts';

/** What there is to judge an end by. */
export interface Ending {
  process: ProcessEnd;
  stopped: StopReason | undefined;
  timeoutMs: number;
  /** End of what was written to stderr. */
  stderrTail: string;
  /** How the program says that it went, whatever its exit code. */
  verdict: Verdict | undefined;
}

const byReason = {
  cancelled: { status: 'cancelled', error: 'Cancelled' },
  'lease lost': { status: 'cancelled', error: 'The execution was taken away from this runner' },
  'runner stopped': { status: 'failed', error: 'runner stopped' },
  'memory limit': { status: 'failed', error: 'Took more memory than a command may' },
  'cpu limit': { status: 'failed', error: 'Took more processor time than a command may' },
} as const;

type Outcome = Pick<CommandEnd, 'status' | 'error'>;

/** Outcome of a command, from how its process ended. The exit code is that of the process, unless only its exit was missing. */
export function judge(ending: Ending): Outcome & Pick<CommandEnd, 'exit_code'> {
  const { process, stopped, verdict } = ending;
  // Who wanted it to end gets that, but what was done before is done: only the process had not ended.
  const isDone = verdict?.succeeded === true && stopped !== 'cancelled' && stopped !== 'lease lost';
  if (!process.error && isDone) {
    return { status: 'completed', error: null, exit_code: stopped ? 0 : process.exit_code };
  }
  return { ...outcomeOf(ending), exit_code: process.exit_code };
}

function outcomeOf({ process, stopped, timeoutMs, stderrTail, verdict }: Ending): Outcome {
  if (process.error && (!stopped || stopped === 'hung')) return { status: 'failed', error: process.error };
  if (stopped === 'timed out') return { status: 'timed_out', error: `Timed out after ${timeoutMs / 1000} s` };
  if (stopped && stopped !== 'hung') return byReason[stopped];
  if (verdict?.succeeded === false) return { status: 'failed', error: verdict.error };
  if (process.exit_code === 0) return { status: 'completed', error: null };
  const word = process.exit_code === 127 ? wordNotFound(stderrTail) : undefined;
  if (word) return { status: 'failed', error: `Command not found: ${word}` };
  const end = process.exit_code < 0 ? `Ended by signal ${-process.exit_code}` : `Exited with code ${process.exit_code}`;
  return { status: 'failed', error: verdict?.error ? `${end}: ${verdict.error}` : end };
}

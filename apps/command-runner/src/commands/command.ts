import type { Command, Command_Status, CommandSummary } from '@claude-cli/proto/platform/v1/commands';
import type { OutputPiece, PlatformEvent } from '@claude-cli/shared/events';
import type { OutboxEntry, WithOutbox } from '@claude-cli/shared/outbox';
import type { Runner } from '../processes/runner.ts';
import type { Usage } from '../processes/usage-meter.ts';

/** The report of an end, kept until the broker has it. */
export interface Report extends OutboxEntry {
  event: PlatformEvent<'execution.finished'> | PlatformEvent<'command.finished'>;
}

/** A run of a process as it is stored. An execution that is tried again replaces its record. */
export interface CommandRecord extends WithOutbox<Report>, Runner {
  /** Id of the direct command or of the execution. */
  _id: string;
  /** Unique per attempt; output is stored by it. */
  run_id: string;
  kind: 'direct' | 'execution';
  command: string;
  status: Command_Status;
  working_directory: string;
  user_id: string;
  project_id: string | null;
  task_id: string | null;
  /** Null until it has started. */
  pid: number | null;
  /** When the process started, as the kernel tells it: a recycled process id is never mistaken for it. */
  pid_started: string | null;
  /** When its runner last said that it is there. */
  heartbeat_at: Date;
  started_at: Date;
  completed_at: Date | null;
  exit_code: number | null;
  duration_ms: number | null;
  /** Processor time of it and what it started; null while it runs. Absent, as the next, from records of earlier versions. */
  cpu_seconds?: number | null;
  /** Most memory that it held at a time; null while it runs, and where that cannot be told. */
  peak_memory_bytes?: number | null;
  output_bytes: number;
  /** Pieces that it wrote, stored or not; null while it runs. Absent from records of earlier versions. */
  output_pieces?: number | null;
  output_truncated: boolean;
  error: string | null;
  /** An admin had it run although it was found unsafe. Absent from records of earlier versions. */
  forced?: boolean;
}

/** What a command is known by before it has started. */
export type CommandFacts = Pick<
  CommandRecord,
  | '_id'
  | 'run_id'
  | 'kind'
  | 'command'
  | 'working_directory'
  | 'user_id'
  | 'project_id'
  | 'task_id'
  | 'started_at'
  | 'forced'
>;

/** How a command ended. */
export type CommandEnd = Pick<
  CommandRecord,
  'status' | 'exit_code' | 'error' | 'output_bytes' | 'output_truncated' | 'duration_ms'
> &
  Usage & { completed_at: Date; output_pieces: number };

/** The record of a command that is about to start on a runner. */
export function newRecord(facts: CommandFacts, runner: Runner): CommandRecord {
  return {
    ...facts,
    ...runner,
    status: 'running',
    pid: null,
    pid_started: null,
    heartbeat_at: facts.started_at,
    completed_at: null,
    exit_code: null,
    duration_ms: null,
    cpu_seconds: null,
    peak_memory_bytes: null,
    output_bytes: 0,
    output_pieces: null,
    output_truncated: false,
    error: null,
    outbox: [],
  };
}

/** A command without its output, as it is answered. */
export function toSummary(record: CommandRecord): CommandSummary {
  return {
    command_id: record._id,
    command: record.command,
    status: record.status,
    started_at: record.started_at.toISOString(),
    completed_at: record.completed_at?.toISOString(),
    exit_code: record.exit_code ?? undefined,
    duration: secondsOf(record),
  };
}

/** A command with its output, as it is answered. */
export function toProto(record: CommandRecord, output: OutputPiece[]): Command {
  return {
    ...toSummary(record),
    pid: record.pid ?? undefined,
    output,
    output_truncated: record.output_truncated,
    working_directory: record.working_directory,
    error: record.error ?? undefined,
    task_id: record.task_id ?? undefined,
    forced: record.forced ?? false,
    cpu_seconds: record.cpu_seconds ?? undefined,
    peak_memory_bytes: record.peak_memory_bytes ?? undefined,
  };
}

function secondsOf({ duration_ms, started_at }: CommandRecord): number {
  return Math.max(0, duration_ms ?? Date.now() - started_at.getTime()) / 1000;
}

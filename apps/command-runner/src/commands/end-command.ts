import { noteSpan, traced } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import type { BoundedOutput } from '../output/bounded-output.ts';
import type { LiveOutput } from '../output/live-output.ts';
import type { OutputRecorder } from '../output/output-recorder.ts';
import type { RunningProcess } from '../processes/running-process.ts';
import type { CommandEnd, Report } from './command.ts';
import { countCommand } from './metrics.ts';
import { judge } from './outcome.ts';
import type { RunningCommand } from './running-command.ts';
import type { CommandSpec, Translator } from './start-command.ts';
import type { StoredRecord } from './stored-record.ts';

/** A command that has been started. */
export interface StartedRun {
  spec: CommandSpec;
  running: RunningCommand;
  record: StoredRecord;
  child: RunningProcess;
  output: OutputRecorder;
  stored: BoundedOutput;
  /** Undefined when it is not shown. */
  live: LiveOutput | undefined;
  translator: Translator | undefined;
  /** Writes what was held back because it might have become a mark of progress. */
  endOfProgress: () => void;
}

/** Follow a command to its end: enforce the timeout, pass on all output, then store the end, then tell it. */
export async function endCommand(ctx: Context, run: StartedRun): Promise<void> {
  const { spec, running, child } = run;
  const { _id } = spec.facts;
  await child.spawned;
  const started = performance.now();
  const timer = setTimeout(() => running.stop('timed out'), spec.timeoutMs);
  const processEnd = await child.ended;
  running.exit();
  clearTimeout(timer);
  // What left the group is not killed with it. A sandbox takes everything with it.
  if (!ctx.isolation.isSandboxed) ctx.strays.huntSoon();
  const completed_at = new Date();
  const duration_ms = Math.round(processEnd.duration_ms ?? performance.now() - started);
  run.endOfProgress();
  const verdict = run.translator?.end(run.output.stderrTail);
  await run.output.close();

  const outcome = judge({
    process: processEnd,
    stopped: running.stopped,
    timeoutMs: spec.timeoutMs,
    stderrTail: run.output.stderrTail,
    verdict,
  });
  const end: CommandEnd = {
    ...outcome,
    cpu_seconds: processEnd.cpu_seconds,
    peak_memory_bytes: processEnd.peak_memory_bytes,
    completed_at,
    duration_ms,
    output_bytes: run.output.bytes,
    output_pieces: run.output.pieces,
    output_truncated: run.stored.truncated,
  };
  noteProcess(spec, end, duration_ms);
  const event = spec.report(end, running.stopped);
  const report = event && { id: event.id, time: event.time, ...traced(), event };
  const isStored = await run.record.finish(end, report);
  // Once the end is stored, so that who hears of it can read all of it.
  void run.live?.end(run.output.pieces, end);
  ctx.running.remove(running);
  running.close(end, tell(ctx, isStored ? _id : undefined, report));
  ctx.log.info(
    { command_id: _id, kind: spec.facts.kind, status: end.status, exit_code: end.exit_code },
    'command ended',
  );
}

/** For the trace and the metrics. */
function noteProcess({ facts }: CommandSpec, end: CommandEnd, duration_ms: number): void {
  const { status, exit_code, completed_at } = end;
  countCommand(facts.kind, status, duration_ms);
  const attributes = { 'command.kind': facts.kind, ...(exit_code !== null && { 'process.exit.code': exit_code }) };
  noteSpan('process', new Date(completed_at.getTime() - duration_ms), { attributes });
}

async function tell(ctx: Context, id: string | undefined, report: Report | undefined): Promise<void> {
  if (!report) return;
  // Without a record the report is told all the same: whom it does not concern any more sees that by its generation.
  if (id !== undefined) await ctx.reports.send({ _id: id, outbox: [report] });
  else await ctx.reports.sendUnstored(report);
}

import type { Context } from '../context.ts';
import type { BoundedOutput } from '../output/bounded-output.ts';
import type { OutputRecorder } from '../output/output-recorder.ts';
import type { RunningProcess } from '../processes/running-process.ts';
import { tryFor } from '../retry.ts';
import type { CommandEnd, CommandRecord, Report } from './command.ts';
import { judge } from './outcome.ts';
import type { RunningCommand } from './running-command.ts';
import type { CommandSpec, Translator } from './start-command.ts';

/** How long storing an end is tried before it is reported from memory. */
const patience = { totalMs: 30_000, attemptMs: 10_000 };

/** A command that has been started. */
export interface StartedRun {
  spec: CommandSpec;
  running: RunningCommand;
  child: RunningProcess;
  output: OutputRecorder;
  stored: BoundedOutput;
  translator: Translator | undefined;
  /** Writes what was held back because it might have become a mark of progress. */
  endOfProgress: () => void;
}

/** Follow a command to its end: enforce the timeout, pass on all output, then store the end, then tell it. */
export async function endCommand(ctx: Context, run: StartedRun): Promise<void> {
  const { spec, running, child } = run;
  const { _id, run_id } = spec.facts;
  const started = performance.now();
  const timer = setTimeout(() => running.stop('timed out'), spec.timeoutMs);
  if (child.pid !== undefined) {
    await ctx.commands
      .setProcess(run_id, _id, child.pid, child.started ?? null)
      .catch((err) => ctx.log.warn({ err, command_id: _id }, 'the process id cannot be stored'));
  }
  const processEnd = await child.ended;
  clearTimeout(timer);
  // What left the group is not killed with it. A sandbox takes everything with it.
  if (!ctx.isolation.isSandboxed) ctx.strays.huntSoon();
  const completed_at = new Date();
  const duration_ms = Math.round(performance.now() - started);
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
    output_truncated: run.stored.truncated,
  };
  const event = spec.report(end, running.stopped);
  const report = event && { id: event.id, time: event.time, event };
  const record = await storeEnd(ctx, run, end, report);
  ctx.running.remove(running);
  running.close(end, tell(ctx, record, report));
  ctx.log.info(
    { command_id: _id, kind: spec.facts.kind, status: end.status, exit_code: end.exit_code },
    'command ended',
  );
}

async function storeEnd(
  ctx: Context,
  { spec }: StartedRun,
  end: CommandEnd,
  report: Report | undefined,
): Promise<CommandRecord | null> {
  const { _id, run_id } = spec.facts;
  try {
    return await tryFor(patience, () => ctx.commands.finish(_id, run_id, end, report));
  } catch (err) {
    ctx.log.error({ err, command_id: _id }, 'the end of a command cannot be stored');
    return null;
  }
}

async function tell(ctx: Context, record: CommandRecord | null, report: Report | undefined): Promise<void> {
  if (!report) return;
  // Without a record the report is told all the same: whom it does not concern any more sees that by its generation.
  if (record) await ctx.reports.send({ ...record, outbox: [report] });
  else await ctx.reports.sendUnstored(report);
}

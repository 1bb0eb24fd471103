import { newEvent } from '@claude-cli/shared/events';
import { every } from '@claude-cli/shared/timer';
import type { Context } from '../context.ts';
import { LiveOutput } from '../output/live-output.ts';
import { isSameProcess, signalGroup } from '../processes/identity.ts';
import type { Runner } from '../processes/runner.ts';
import type { CommandRecord, Report } from './command.ts';

/** Pause between heartbeats, and looks for what dead runners left, in milliseconds. */
const lookMs = 10_000;
/** Silence after which a runner on another host counts as dead, in milliseconds. */
const silentMs = 60_000;

/**
 * Clean up after runners that died: what they left running on this host is killed, and their records are closed. Done once
 * before anything else starts, then again and again, and at the end. The fate of an execution is decided by its lease, so only its record
 * is closed; a direct command has nobody else, so its end is told.
 */
export async function watchLostCommands(ctx: Context): Promise<AsyncDisposable> {
  await cleanUp(ctx);
  const look = async () => {
    await ctx.commands.heartbeat(ctx.runner);
    await cleanUp(ctx);
  };
  const looking = every(lookMs, 'looking for lost commands', look, ctx.log);
  return {
    [Symbol.asyncDispose]: async () => {
      await looking[Symbol.asyncDispose]();
      // Stopped after everything that runs: what is still there has escaped.
      await ctx.strays.hunt();
    },
  };
}

/** Kill what the runner of a record left, if that runner was on this host and is dead. */
export function killLeftovers(record: CommandRecord, me: Runner): void {
  if (!isDead(record, me)) return;
  if (record.pid !== null && isSameProcess(record.pid, record.pid_started)) signalGroup(record.pid, 'SIGKILL');
}

function isDead(runner: Runner, me: Runner): boolean {
  return (
    runner.host === me.host &&
    runner.runner_id !== me.runner_id &&
    runner.runner_started !== null &&
    !isSameProcess(runner.runner_pid, runner.runner_started)
  );
}

async function cleanUp(ctx: Context): Promise<void> {
  const silentSince = new Date(Date.now() - silentMs);
  for (const record of await ctx.commands.suspects(ctx.runner, silentSince).lean<CommandRecord[]>()) {
    killLeftovers(record, ctx.runner);
    if (isDead(record, ctx.runner) || record.heartbeat_at < silentSince) await closeLost(ctx, record);
  }
  await ctx.strays.hunt();
}

async function closeLost(ctx: Context, record: CommandRecord): Promise<void> {
  const { _id, user_id, kind } = record;
  const end = { status: 'failed', error: 'runner lost', completed_at: new Date() } as const;
  const event = newEvent(
    'command.finished',
    { actor: user_id, project_id: null },
    { command_id: _id, user_id, status: end.status, exit_code: null, forced: record.forced ?? false },
  );
  const report: Report | undefined = kind === 'direct' ? { id: event.id, time: event.time, event } : undefined;
  const closed = await ctx.commands.close(record, end, report);
  if (!closed) return;
  ctx.log.warn({ command_id: _id, kind, host: record.host }, 'closed the record of a command whose runner is lost');
  if (report) void ctx.reports.send({ ...closed, outbox: [report] });
  const { run_id, task_id, project_id } = record;
  const live = new LiveOutput(ctx.bus, { command_id: _id, run_id, task_id, project_id, user_id }, ctx.log);
  await live.end(await ctx.outputs.lastPiece(run_id), { status: end.status, exit_code: null });
}

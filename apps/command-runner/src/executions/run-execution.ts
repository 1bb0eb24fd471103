import type { Job } from '@claude-cli/proto/platform/v1/executions';
import { newEvent } from '@claude-cli/shared/events';
import { inSpan } from '@claude-cli/shared/telemetry/tracing';
import { AgentRun } from '../agent/agent-run.ts';
import type { CommandEnd, Report } from '../commands/command.ts';
import { judgeCommand, reasonOf } from '../commands/judge-command.ts';
import type { RunningCommand } from '../commands/running-command.ts';
import { type CommandSpec, startCommand } from '../commands/start-command.ts';
import type { Context } from '../context.ts';
import { type Program, shellProgram } from '../processes/shell.ts';
import { keepLease, type Lease } from './lease.ts';

/** Who is told how far a run has come. */
export interface RunSteps {
  /** It is among what runs here, or will never be. Until then nobody else knows of it. */
  begun(): void;
  /** The next may start in its slot. */
  release(): void;
}

/** Run a claimed execution to its end. Never rejects. */
export function runExecution(ctx: Context, lease: Lease, steps: RunSteps): Promise<void> {
  const { job, traceparent } = lease;
  const { execution_id, generation } = job;
  const attributes = { 'execution.id': execution_id, 'execution.generation': generation };
  const place = { parent: job.traceparent, root: true, links: [traceparent], kind: 'consumer', attributes } as const;
  return inSpan('run execution', place, () => run(ctx, lease, steps));
}

async function run(ctx: Context, lease: Lease, { begun, release }: RunSteps): Promise<void> {
  const { job } = lease;
  const { execution_id, generation } = job;
  const log = ctx.log.child({ execution_id, generation });
  const started_at = new Date();
  let running: RunningCommand | undefined;
  let lost = false;
  const agent = job.command === undefined ? new AgentRun(ctx, job) : undefined;
  const stop = () => {
    lost = true;
    running?.stop('lease lost');
  };
  const renewal = keepLease(ctx, lease, stop, () => agent?.progress ?? running?.progress);
  try {
    await endEarlierAttempt(ctx, execution_id);
    running = await startCommand(ctx, await specOf(ctx, job, agent, started_at));
    begun();
    if (lost) running.stop('lease lost');
    log.info({ pid: running.pid, task_id: job.task_id }, 'execution started');
    await leaveSlot(ctx, running, release);
    // The lease is kept until the report is out, so that a broker that is away does not make a finished run a lost one.
    void running.reported.finally(() => renewal[Symbol.asyncDispose]());
  } catch (err) {
    log.error({ err }, 'execution could not be started');
    const end = { status: 'failed', exit_code: null, error: 'The run could not be started', output_bytes: 0 } as const;
    const untold = { cpu_seconds: null, peak_memory_bytes: null };
    const event = finished(job, started_at, { ...end, ...untold, completed_at: new Date() }, undefined);
    await ctx.reports.sendUnstored({ id: event.id, time: event.time, event });
    await renewal[Symbol.asyncDispose]();
  } finally {
    begun();
    release();
  }
}

/** Resolves when the end is stored. The next may start before, unless so many ends are being stored that the database is slow. */
async function leaveSlot(ctx: Context, running: RunningCommand, release: () => void): Promise<void> {
  await running.exited;
  const stored = ctx.endingSlots.take();
  if (stored) release();
  await running.ended;
  stored?.();
}

/** A run of the same execution that lost its lease may not have ended yet. */
async function endEarlierAttempt(ctx: Context, executionId: string): Promise<void> {
  const earlier = ctx.running.get(executionId);
  earlier?.stop('lease lost');
  await earlier?.ended;
}

async function specOf(ctx: Context, job: Job, agent: AgentRun | undefined, started_at: Date): Promise<CommandSpec> {
  const { execution_id, command = '', prompt } = job;
  // What goes beyond the bound is dropped.
  const stored = (bytes: number) => Math.min(bytes, ctx.config.OUTPUT_LIMIT_BYTES);
  const [directory, program] = await Promise.all([
    ctx.workspace.ofProject(job.project_id),
    agent?.program ?? safeProgram(ctx, command, ctx.workspace.pathOf(job.project_id)),
  ]);
  const spec: CommandSpec = {
    facts: {
      _id: execution_id,
      run_id: `${execution_id}.${job.generation}`,
      kind: 'execution',
      command: agent === undefined ? command : `${ctx.config.CLAUDE_BINARY} -p ${JSON.stringify(prompt.slice(0, 200))}`,
      working_directory: directory,
      user_id: job.user_id,
      project_id: job.project_id,
      task_id: job.task_id,
      started_at,
    },
    program,
    timeoutMs: job.timeout_ms,
    // Each claim has the next number.
    isFirst: job.generation === 1,
    live: true,
    report: (end, stopped) =>
      // Whoever took the execution away does not wait for us.
      stopped === 'lease lost'
        ? undefined
        : finished(job, started_at, { ...end, output_bytes: stored(end.output_bytes) }, agent),
  };
  if (agent) spec.translator = (write, stop) => agent.translator(write, stop);
  return spec;
}

/** A command of a task; one that was found unsafe is not started, so that the run ends with the reason. */
async function safeProgram(ctx: Context, command: string, directory: string): Promise<Program> {
  const program = shellProgram(command);
  const verdict = await judgeCommand(ctx, command, { directory });
  return verdict.safe ? program : { ...program, refused: `Refused as unsafe: ${reasonOf(verdict)}` };
}

const isFailure = (status: string) => status === 'failed' || status === 'timed_out';

function finished(
  job: Job,
  started_at: Date,
  end: Omit<CommandEnd, 'output_pieces' | 'output_truncated' | 'duration_ms'>,
  agent: AgentRun | undefined,
): Report['event'] {
  const { execution_id, task_id, generation, project_id, user_id } = job;
  return newEvent(
    'execution.finished',
    { actor: user_id, project_id },
    {
      execution_id,
      task_id,
      generation,
      status: end.status === 'running' ? 'failed' : end.status,
      exit_code: end.exit_code,
      error: end.error,
      result: agent?.report() ?? null,
      retry_at: isFailure(end.status) ? (agent?.retryAt() ?? null) : null,
      output_bytes: end.output_bytes,
      cpu_seconds: end.cpu_seconds,
      peak_memory_bytes: end.peak_memory_bytes,
      started_at: started_at.toISOString(),
      finished_at: end.completed_at.toISOString(),
    },
  );
}

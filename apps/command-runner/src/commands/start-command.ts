import type { OutputPiece } from '@claude-cli/shared/events';
import { keepTrace } from '@claude-cli/shared/telemetry/tracing';
import type { Context } from '../context.ts';
import { BoundedOutput } from '../output/bounded-output.ts';
import { LiveOutput } from '../output/live-output.ts';
import { OutputRecorder } from '../output/output-recorder.ts';
import { ProgressReader } from '../output/progress-reader.ts';
import { childEnvironment } from '../processes/environment.ts';
import { RunningProcess } from '../processes/running-process.ts';
import type { Program } from '../processes/shell.ts';
import { type CommandEnd, type CommandFacts, type CommandRecord, newRecord, type Report } from './command.ts';
import { endCommand } from './end-command.ts';
import { killLeftovers } from './lost-commands.ts';
import { RunningCommand, type StopReason } from './running-command.ts';
import { StoredRecord } from './stored-record.ts';

/** Takes output. */
export type WriteOutput = (stream: OutputPiece['stream'], text: string) => void;

/** How a program went by its own account. */
export interface Verdict {
  /** Undefined when it did not say: then the exit code decides. */
  succeeded: boolean | undefined;
  /** Why it failed, or what is to be added to a bad exit code; null when there is nothing to say. */
  error: string | null;
}

/** Reads the stdout of a program that does not write for people. */
export interface Translator {
  read(text: string): void;
  /** The program has ended. */
  end(stderrTail: string): Verdict;
}

/** A command to start. */
export interface CommandSpec {
  facts: CommandFacts;
  program: Program;
  timeoutMs: number;
  /** There can be no record of an earlier attempt, and nobody waits for the record: it may be stored after the start. */
  isFirst: boolean;
  /** Whether output is published, and not only stored. */
  live: boolean;
  /** Variables that the caller adds. */
  environment?: Record<string, string>;
  /** Makes the program the agent: it sees its own settings, and its stdout is translated. */
  translator?: (write: WriteOutput, stop: () => void) => Translator;
  /** The event that tells the end; undefined when nobody waits for it. */
  report: (end: CommandEnd, stopped: StopReason | undefined) => Report['event'] | undefined;
}

/**
 * Start a command. Whatever happens to this runner, its processes are found by their mark; its record is stored before, or
 * soon after, see StoredRecord. The rest of its life goes on in the background until `ended`.
 */
export async function startCommand(ctx: Context, spec: CommandSpec): Promise<RunningCommand> {
  const { facts, isFirst } = spec;
  const running = new RunningCommand(facts._id, facts.run_id);
  ctx.running.add(running);
  const record = newRecord(facts, ctx.runner);
  try {
    if (!isFirst) await beginRecord(ctx, record);
  } catch (thrown) {
    ctx.running.remove(running);
    running.close(neverStarted(), Promise.resolve());
    throw thrown;
  }
  await launch(ctx, spec, running, new StoredRecord(ctx.commands, record, !isFirst, ctx.log));
  return running;
}

function neverStarted(): CommandEnd {
  const nothing = { exit_code: null, output_bytes: 0, output_pieces: 0, output_truncated: false, duration_ms: 0 };
  const untold = { cpu_seconds: null, peak_memory_bytes: null };
  return {
    ...nothing,
    ...untold,
    status: 'failed',
    error: 'The command could not be recorded',
    completed_at: new Date(),
  };
}

async function beginRecord(ctx: Context, record: CommandRecord): Promise<void> {
  const replaced = await ctx.commands.begin(record);
  if (!replaced) return;
  killLeftovers(replaced, ctx.runner);
  await ctx.outputs.dropRun(replaced.run_id);
}

/** Resolves when there is a process, or it is known why there is none. */
async function launch(ctx: Context, spec: CommandSpec, running: RunningCommand, record: StoredRecord): Promise<void> {
  const { facts } = spec;
  const { _id: command_id, run_id, task_id, project_id, user_id } = facts;
  const stored = new BoundedOutput(ctx.outputs, facts.run_id, ctx.config.OUTPUT_LIMIT_BYTES, ctx.log);
  const owner = { command_id, run_id, task_id, project_id, user_id };
  const live = spec.live ? new LiveOutput(ctx.bus, owner, ctx.log) : undefined;
  const output = new OutputRecorder({
    limitBytes: ctx.config.OUTPUT_LIMIT_BYTES,
    store: async (batch, isFull) => {
      await record.ensure();
      await stored.add(batch, isFull);
    },
    settle: () => stored.settle(),
    // Output comes whenever it comes.
    publish: keepTrace(async (batch) => {
      await live?.publish(batch);
    }),
    pause: () => child.pause(),
    resume: () => child.resume(),
  });
  const translator = spec.translator?.(
    (stream, text) => output.write(stream, text),
    () => running.stop('hung'),
  );
  const progress =
    facts.kind === 'execution' && !translator
      ? new ProgressReader((percent) => (running.progress = percent))
      : undefined;
  const agent = translator !== undefined;
  const directory = facts.working_directory;
  const child = new RunningProcess(ctx.spawner, {
    ...ctx.isolation.launch(spec.program, { directory, agent }),
    cwd: directory,
    exceeded: (what) => running.stop(what),
    env: childEnvironment(
      {
        mark: { workspace_id: ctx.workspace.id, runner: ctx.runner, run_id: facts.run_id },
        task_id,
        project_id,
        execution_id: command_id,
        isolated: ctx.isolation.environment(directory),
        added: spec.environment ?? {},
        agent,
      },
      ctx.environment,
    ),
    read: (stream, text) => {
      if (stream !== 'stdout') output.write(stream, text);
      else if (translator) translator.read(text);
      else output.write(stream, progress?.read(text) ?? text);
    },
  });
  running.attach(child);
  const endOfProgress = () => output.write('stdout', progress?.end() ?? '');
  void endCommand(ctx, { spec, running, record, child, output, stored, live, translator, endOfProgress });
  await child.spawned;
  record.began(child.pid, child.started);
}

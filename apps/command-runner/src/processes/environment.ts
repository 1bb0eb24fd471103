import { invalidField } from '@claude-cli/shared/errors';
import type { Runner } from './runner.ts';

/** What a child sees of our own environment. Everything else, and so every secret of ours, stays here. */
const inherited = /^(PATH|HOME|LANG|LC_[A-Z]+|TZ|TMPDIR|USER|LOGNAME|SHELL)$/;

/** What the agent sees besides: its own key and settings. CLAUDE_CLI_ and CLAUDE_BINARY are ours. */
const inheritedByAgent = /^(ANTHROPIC_\w+|CLAUDE_(?!CLI_|BINARY$)\w+)$/;

/**
 * Names that a caller may not set: they make the loader, a shell or an interpreter run something else before the command
 * does. PATH may be set: build tools need it, and a caller can name any program by its path anyhow.
 */
const refused = /^(LD_.*|DYLD_.*|NODE_OPTIONS|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|IFS|PS4|PYTHONSTARTUP|PERL5OPT|RUBYOPT)$/;

/** Starts the names that tell a process which run it belongs to. */
const ours = 'CLAUDE_CLI_';

/** Name of the variable that marks every process of a run, so that strays are found. */
export const markName = `${ours}RUN`;

/** Which run a process belongs to. */
export interface RunMark {
  workspace_id: string;
  runner: Runner;
  run_id: string;
}

/** The mark of a run, as its processes carry it. */
function markOf({ workspace_id, runner, run_id }: RunMark): string {
  return [workspace_id, runner.runner_id, runner.runner_pid, runner.runner_started ?? '', run_id].join(' ');
}

/** What a mark says; undefined when it is none. */
export function readMark(
  mark: string,
): { workspace_id: string; runner_id: string; pid: number; started: string; run_id: string } | undefined {
  const [workspace_id, runner_id, pid, started, run_id] = mark.split(' ');
  if (!workspace_id || !runner_id || !pid || !started || !run_id) return undefined;
  return { workspace_id, runner_id, pid: Number(pid), started, run_id };
}

/**
 * Check the variables that a caller wants to add.
 * @throws PlatformError VALIDATION_ERROR on environment
 */
export function checkEnvironment(environment: Record<string, string>): void {
  for (const [name, value] of Object.entries(environment)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw invalidField('environment', `${name} is not a name`);
    if (refused.test(name) || name.startsWith(ours)) throw invalidField('environment', `${name} cannot be set`);
    if (value.includes('\0')) throw invalidField('environment', `the value of ${name} contains a null character`);
  }
}

/** What a child is to know of the run. */
export interface ChildEnvironment {
  mark: RunMark;
  task_id: string | null;
  project_id: string | null;
  /** Id of the execution or of the direct command. */
  execution_id: string;
  /** What the isolation of the child puts in the place of inherited variables. */
  isolated?: NodeJS.ProcessEnv;
  /** Variables that the caller adds. */
  added?: Record<string, string>;
  /** Whether the child is the agent, which needs a key of its own. */
  agent?: boolean;
}

/**
 * The environment of this process, to be read once: reading it is slow. Besides the settings, this is the one place that does, and
 * it is for what is passed on, not for configuring.
 */
export function ownEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env };
}

/** The environment of a child, with what it sees of `own`. */
export function childEnvironment(child: ChildEnvironment, own: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = Object.keys(own).filter((name) => inherited.test(name) || (child.agent && inheritedByAgent.test(name)));
  const passed = Object.fromEntries(names.map((name) => [name, own[name]]));
  const env: NodeJS.ProcessEnv = { ...passed, TERM: 'dumb', ...child.isolated, ...child.added };
  env[`${ours}EXECUTION_ID`] = child.execution_id;
  if (child.task_id) env[`${ours}TASK_ID`] = child.task_id;
  if (child.project_id) env[`${ours}PROJECT_ID`] = child.project_id;
  env[markName] = markOf(child.mark);
  return env;
}

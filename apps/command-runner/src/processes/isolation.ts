import { existsSync } from 'node:fs';
import type { Settings } from '@claude-cli/shared/settings';
import { defaultProcesses, limited, type ProcessLimits } from './limits.ts';
import { RunningProcess } from './running-process.ts';
import { Sandbox } from './sandbox.ts';
import { type Program, shell } from './shell.ts';
import { Spawner } from './spawner/spawner.ts';
import type { Workspace } from './workspace.ts';

/** Settings that say how commands are isolated. */
export const isolationSettings = [
  'RUNNER_ISOLATION',
  'RUNNER_USER',
  'RUNNER_NETWORK',
  'RUNNER_READ_PATHS',
  'FILE_LIMIT_BYTES',
  'MEMORY_LIMIT_BYTES',
  'CPU_LIMIT_SECONDS',
  'PROCESS_LIMIT',
] as const;

type Config = Settings<(typeof isolationSettings)[number]>;

/** How long the trial at the start may take, in milliseconds. */
const trialMs = 20_000;

/** What is different from run to run. */
export interface IsolatedRun {
  directory: string;
  /** Whether it is the agent, which works by network. */
  agent: boolean;
}

/** What to start for a program. */
export interface Launch extends Program {
  uid?: number;
  gid?: number;
  /** The program is inside a sandbox that dies with its first process. */
  sandboxed: boolean;
  limits: ProcessLimits;
}

/** Keeps commands apart from this service, and from each other, as the configuration says. */
export class Isolation {
  /** Whether the whole system looks to a command as it looks to this service. */
  readonly isPlain: boolean;
  /** Whether everything that a command starts ends with it, whatever it does. */
  readonly isSandboxed: boolean;
  /** Bounds of each command. Those of the size of files are inherited from the spawner. */
  readonly limits: ProcessLimits;
  readonly #config: Config;
  readonly #sandbox: Sandbox | undefined;

  private constructor(config: Config, sandbox: Sandbox | undefined) {
    this.#config = config;
    this.#sandbox = sandbox;
    this.isSandboxed = sandbox !== undefined;
    this.isPlain = !sandbox && !config.RUNNER_USER;
    this.limits = {
      fileBytes: config.FILE_LIMIT_BYTES,
      memoryBytes: config.MEMORY_LIMIT_BYTES,
      cpuSeconds: config.CPU_LIMIT_SECONDS,
      // Counted per user: where commands share theirs with others, any default would be wrong.
      processes: config.PROCESS_LIMIT ?? (this.isPlain ? undefined : defaultProcesses),
    };
  }

  /**
   * Isolate as configured, and try it.
   * @throws Error that says in a sentence why this system cannot do what the configuration asks for
   */
  static async open(config: Config, workspace: Workspace, isRoot = process.getuid?.() === 0): Promise<Isolation> {
    if (config.RUNNER_USER && !isRoot)
      throw new Error('RUNNER_USER can be set only where command-runner starts as root');
    if (config.RUNNER_ISOLATION === 'plain') return tried(new Isolation(config, undefined), workspace);
    if (isRoot && !config.RUNNER_USER) {
      throw new Error(
        'RUNNER_ISOLATION=bubblewrap as root needs RUNNER_USER=<uid>:<gid>, because no limit of processes holds for root',
      );
    }
    const readPaths = config.RUNNER_READ_PATHS ?? [];
    const missing = readPaths.find((path) => !existsSync(path));
    if (missing !== undefined) throw new Error(`RUNNER_READ_PATHS names ${missing}, which does not exist`);
    return tried(new Isolation(config, new Sandbox(findBubblewrap(), readPaths)), workspace);
  }

  /** What to start for a program. */
  launch(program: Program, { directory, agent }: IsolatedRun): Launch {
    const { RUNNER_NETWORK, RUNNER_USER } = this.#config;
    const network = RUNNER_NETWORK === 'all' || (RUNNER_NETWORK === 'agent' && agent);
    const { fileBytes: _, ...own } = this.limits;
    const isUnbounded = Object.values(own).every((limit) => limit === undefined);
    // What is no shell needs one all the same, which says when it is not found.
    const bounded = isUnbounded && program.file === shell ? program : limited(program, own);
    const launch = this.#sandbox?.wrap(bounded, { directory, network }) ?? bounded;
    const refused = program.refused === undefined ? {} : { refused: program.refused };
    return { ...launch, ...refused, ...RUNNER_USER, sandboxed: this.isSandboxed, limits: this.limits };
  }

  /** Variables in place of inherited ones that would lead to where the command cannot go. */
  environment(directory: string): NodeJS.ProcessEnv {
    if (this.isPlain) return {};
    return { HOME: directory, TMPDIR: undefined, USER: undefined, LOGNAME: undefined };
  }
}

function findBubblewrap(): string {
  const found = ['/usr/bin/bwrap', '/usr/local/bin/bwrap', '/bin/bwrap'].find((path) => existsSync(path));
  if (found) return found;
  throw new Error(
    'RUNNER_ISOLATION=bubblewrap needs bubblewrap, which is not installed (Debian: apt-get install bubblewrap)',
  );
}

/** A configuration that does not work is found out now, by a program that does nothing, and not by the first command. */
async function tried(isolation: Isolation, { root }: Workspace): Promise<Isolation> {
  if (isolation.isPlain) return isolation;
  let said = '';
  await using spawner = new Spawner(isolation.limits);
  const trial = new RunningProcess(spawner, {
    ...isolation.launch({ file: '/bin/sh', args: ['-c', 'test -w .'] }, { directory: root, agent: false }),
    cwd: root,
    env: {},
    read: (_, text) => {
      said = (said + text).slice(0, 1_000);
    },
  });
  const late = setTimeout(() => trial.stop(100), trialMs);
  const { exit_code, error } = await trial.ended;
  clearTimeout(late);
  if (exit_code === 0) return isolation;
  const why = error ?? said.trim().split('\n')[0];
  throw new Error(
    `Commands cannot be run as RUNNER_ISOLATION and RUNNER_USER say: ${why || `the trial in ${root} ended with ${exit_code}`}`,
  );
}

import { ExecutionServiceService } from '@claude-cli/proto/platform/v1/executions';
import { ProjectAccessCache } from '@claude-cli/shared/access';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { SettingName } from '@claude-cli/shared/settings';
import { AgentHold } from './agent/agent-hold.ts';
import { CommandStore } from './commands/command-store.ts';
import { Reports } from './commands/reports.ts';
import { RunningCommands } from './commands/running-command.ts';
import { Slots } from './commands/slots.ts';
import { database } from './database.ts';
import { OutputStore } from './output/output-store.ts';
import { ownEnvironment } from './processes/environment.ts';
import { Isolation, isolationSettings } from './processes/isolation.ts';
import { type Runner, thisRunner } from './processes/runner.ts';
import { Spawner } from './processes/spawner/spawner.ts';
import { killStrays, StrayHunt } from './processes/strays.ts';
import { Workspace } from './processes/workspace.ts';
import { Safety } from './safety/safety.ts';

/** Settings of this service. */
export const runnerSettings = [
  'WORKSPACE_ROOT',
  'RUNNER_CONCURRENCY',
  'COMMAND_CONCURRENCY',
  'OUTPUT_LIMIT_BYTES',
  ...isolationSettings,
  'CLAUDE_BINARY',
  'AGENT_SILENCE_SECONDS',
  'AGENT_EXIT_SECONDS',
  'SHUTDOWN_GRACE_MS',
  'EXECUTION_TTL_DAYS',
] as const satisfies SettingName[];

/** Ends of executions that may be being stored, per slot: where runs are short, so many come while ends gather. */
export const endsPerSlot = 4;

/** What handlers, consumers and timers of this service are given. */
export interface Context extends BaseContext<(typeof runnerSettings)[number]> {
  runner: Runner;
  bus: Bus;
  commands: CommandStore;
  outputs: OutputStore;
  reports: Reports;
  /** What runs in this process. */
  running: RunningCommands;
  /** Room for direct commands. */
  directSlots: Slots;
  /** Room for executions. */
  executionSlots: Slots;
  /** Room for executions whose process has ended and whose end is being stored: as long as there is some, they leave their slot. */
  endingSlots: Slots;
  /** The environment of this process. */
  environment: NodeJS.ProcessEnv;
  workspace: Workspace;
  isolation: Isolation;
  /** Starts processes. */
  spawner: Spawner;
  /** Finds processes that outlived their run. */
  strays: StrayHunt;
  /** Judges commands before they run. */
  safety: Safety;
  access: ProjectAccessCache;
  /** Keeps agent work away while the account's limit is reached. */
  agentHold: AgentHold;
  executions: RpcClient<typeof ExecutionServiceService>;
  /** The same, by one replica: where free slots wait, there their waits are ended. */
  waits: RpcClient<typeof ExecutionServiceService>;
}

/** Build the context. */
export async function openContext(base: BaseContext<(typeof runnerSettings)[number]>): Promise<Context> {
  const { config, log, resources } = base;
  const workspace = await Workspace.open(config.WORKSPACE_ROOT, config.RUNNER_USER);
  const isolation = await Isolation.open(config, workspace);
  const { connection } = await resources.connectMongo(database);
  const bus = await resources.connectBus();
  const commands = new CommandStore(connection);
  const outputs = new OutputStore(connection);
  const safety = resources.use(await Safety.load());
  const runner = thisRunner();
  const running = new RunningCommands();
  const isWanted = (runId: string) => running.hasRun(runId);
  return {
    ...base,
    runner,
    bus,
    commands,
    outputs,
    reports: resources.use(new Reports(bus, commands, log)),
    running,
    directSlots: new Slots(config.COMMAND_CONCURRENCY),
    executionSlots: new Slots(config.RUNNER_CONCURRENCY),
    endingSlots: new Slots(endsPerSlot * config.RUNNER_CONCURRENCY),
    environment: ownEnvironment(),
    workspace,
    isolation,
    spawner: resources.use(new Spawner(isolation.limits)),
    strays: resources.use(new StrayHunt(() => killStrays(runner, workspace.id, isWanted), log)),
    safety,
    agentHold: new AgentHold(),
    access: new ProjectAccessCache(resources.channel('project-service')),
    executions: resources.channel('task-service').client(ExecutionServiceService),
    waits: resources.stickyChannel('task-service').client(ExecutionServiceService),
  };
}

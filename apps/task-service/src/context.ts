import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { ProjectAccessCache } from '@claude-cli/shared/access';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import { BoundedMap } from '@claude-cli/shared/bounded-map';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import { GuardedWrites } from '@claude-cli/shared/guarded-update';
import { KnownUsers } from '@claude-cli/shared/known-users';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import { Recent } from '@claude-cli/shared/recent';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Settings } from '@claude-cli/shared/settings';
import { database } from './database.ts';
import { type DeadLetterModel, deadLetterModel } from './dead-letters/dead-letter.ts';
import { type AgentHoldModel, agentHoldModel } from './executions/agent-hold.ts';
import { type ClaimReads, openClaimReads } from './executions/claim-reads.ts';
import {
  type Execution,
  type ExecutionEntry,
  type ExecutionInserts,
  type ExecutionModel,
  executionModel,
  openExecutionInserts,
} from './executions/execution.ts';
import { type FairOrder, openFairOrder } from './executions/fair-order.ts';
import { Followers, type ToldTask } from './executions/followers.ts';
import { type KnownEnds, openKnownEnds } from './executions/known-ends.ts';
import { wakeRefused } from './executions/project-limit.ts';
import { SlotReleases } from './executions/slot-releases.ts';
import { openSlotTakes, type SlotModel, type SlotTakes, slotModel } from './executions/slots.ts';
import { Starts } from './executions/starts.ts';
import { openTakes, type Takes } from './executions/takes.ts';
import { tell } from './executions/tell.ts';
import { Vacancies } from './executions/vacancies.ts';
import { type HistoryModel, HistoryRecorder, historyModel } from './history/history.ts';
import { type UsageModel, usageModel } from './limits/project-usage.ts';
import { openQueues, type Queues } from './queues/queues.ts';
import { openTaskReads, type TaskReads } from './tasks/find-task.ts';
import { type BriefTask, type TaskModel, taskModel } from './tasks/task.ts';

/** Settings of task-service. */
export const settingNames = [
  'EXECUTION_LEASE_MS',
  'QUEUE_LIMIT',
  'EXECUTION_TTL_DAYS',
  'HISTORY_TTL_DAYS',
  'DEAD_LETTER_TTL_DAYS',
] as const;

type SettingNames = (typeof settingNames)[number];

/** What every handler of task-service is given. */
export interface Context {
  config: Settings<SettingNames>;
  log: Logger;
  bus: Bus;
  tasks: TaskModel;
  history: HistoryModel;
  recorder: HistoryRecorder;
  executions: ExecutionModel;
  slots: SlotModel;
  slotTakes: SlotTakes;
  slotReleases: SlotReleases;
  executionInserts: ExecutionInserts;
  taskReads: TaskReads;
  fair: FairOrder;
  agentHolds: AgentHoldModel;
  /** Executions on which claims of this process decide now. */
  claiming: Set<string>;
  claims: ClaimReads;
  /** Slots of runners that wait at this replica. */
  vacancies: Vacancies;
  /** Tasks by the execution that is queued or runs, as this process saw them last: perhaps no longer so. */
  knownTasks: BoundedMap<string, BriefTask>;
  /** Runs that this process granted, by their executions: perhaps no longer so. */
  knownRuns: BoundedMap<string, Execution>;
  /** Stores how such runs ended. */
  knownEnds: KnownEnds;
  usage: UsageModel;
  /** Stored output of projects, for those that are far below their limit. */
  storedOutputs: Recent<number>;
  deadLetters: DeadLetterModel;
  queues: Queues;
  taskOutbox: Outbox<AnyEvent, ToldTask>;
  /** What executions change in tasks. */
  taskWrites: GuardedWrites;
  executionOutbox: Outbox<ExecutionEntry, Execution>;
  /** Executions that were claimed and of which that is not told yet. */
  starts: Starts;
  /** Takes executions for runners. */
  takes: Takes;
  access: ProjectAccessCache;
  users: RpcClient<typeof UserServiceService>;
  accounts: RpcClient<typeof AuthServiceService>;
  knownUsers: KnownUsers;
}

/** How many of each are remembered. */
const known = { tasks: 2_000, runs: 2_000 };

/** Connect, and tie the outboxes to what they tell. */
export async function createContext({ config, log, resources }: BaseContext<SettingNames>): Promise<Context> {
  const { connection } = await resources.connectMongo(database);
  const bus = await resources.connectBus();
  const tasks = taskModel(connection);
  const history = historyModel(connection);
  const executions = executionModel(connection);
  const slots = slotModel(connection);
  const usage = usageModel(connection);
  const deadLetters = deadLetterModel(connection);
  const agentHolds = agentHoldModel(connection);
  const projects = resources.channel('project-service');
  const tellEvent = async (event: AnyEvent, task: ToldTask) => {
    // Whoever hears of it finds it in the history.
    const told = recorder.record(event).then(() => bus.publishEvent(event));
    await Promise.all([told, followers.hear(event, task)]);
  };
  const recorder = new HistoryRecorder(history);
  const counted = { executions, limit: config.QUEUE_LIMIT };
  const queues = await openQueues(connection, counted, (event) => bus.publishEvent(event), log);
  resources.use(queues.outbox);
  const fair = resources.use(await openFairOrder(connection, log));
  const tellNews = (news: ExecutionEntry, execution: Execution) => tell(ctx, news, execution);
  const executionOutbox = new Outbox<ExecutionEntry, Execution>(executions.collection, tellNews, log, { whole: true });
  const ctx: Context = {
    config,
    log,
    bus,
    tasks,
    history,
    recorder,
    executions,
    slots,
    slotTakes: openSlotTakes(slots),
    slotReleases: resources.use(new SlotReleases(slots, (project_id) => wakeRefused(ctx, project_id), log)),
    executionInserts: openExecutionInserts(executions),
    taskReads: openTaskReads(tasks),
    fair,
    agentHolds,
    claiming: new Set(),
    claims: openClaimReads(executions, queues.states, tasks),
    vacancies: new Vacancies(),
    knownTasks: new BoundedMap(known.tasks),
    knownRuns: new BoundedMap(known.runs),
    knownEnds: openKnownEnds(executions),
    usage,
    storedOutputs: new Recent({ freshMs: 1_000, usableMs: 2_000, max: 1_000 }),
    deadLetters,
    queues,
    taskWrites: new GuardedWrites(tasks.collection),
    taskOutbox: resources.use(new Outbox(tasks.collection, tellEvent, log)),
    executionOutbox: resources.use(executionOutbox),
    starts: resources.use(new Starts(executionOutbox)),
    takes: openTakes(executions),
    access: new ProjectAccessCache(projects),
    users: projects.client(UserServiceService),
    accounts: projects.client(AuthServiceService),
    knownUsers: new KnownUsers(projects),
  };
  const followers = new Followers(ctx);
  return ctx;
}

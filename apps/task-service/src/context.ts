import { AuthServiceService } from '@claude-cli/proto/platform/v1/auth';
import { UserServiceService } from '@claude-cli/proto/platform/v1/users';
import { ProjectAccessCache } from '@claude-cli/shared/access';
import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import { KnownUsers } from '@claude-cli/shared/known-users';
import type { Logger } from '@claude-cli/shared/logger';
import { Outbox } from '@claude-cli/shared/outbox';
import type { BaseContext } from '@claude-cli/shared/service/service';
import type { Settings } from '@claude-cli/shared/settings';
import { type DeadLetterModel, deadLetterModel } from './dead-letters/dead-letter.ts';
import { type ExecutionEntry, type ExecutionModel, executionModel } from './executions/execution.ts';
import { type FairOrder, openFairOrder } from './executions/fair-order.ts';
import { type SlotModel, slotModel } from './executions/slots.ts';
import { tell } from './executions/tell.ts';
import { followTask } from './executions/wait-for-dependencies.ts';
import { type HistoryModel, historyModel, recordHistory } from './history/history.ts';
import { type UsageModel, usageModel } from './limits/project-usage.ts';
import { openQueues, type Queues } from './queues/queues.ts';
import { type TaskModel, taskModel } from './tasks/task.ts';

/** Settings of task-service. */
export const settingNames = ['EXECUTION_LEASE_MS', 'QUEUE_LIMIT'] as const;

type SettingNames = (typeof settingNames)[number];

/** What every handler of task-service is given. */
export interface Context {
  config: Settings<SettingNames>;
  log: Logger;
  bus: Bus;
  tasks: TaskModel;
  history: HistoryModel;
  executions: ExecutionModel;
  slots: SlotModel;
  fair: FairOrder;
  /** Executions on which claims of this process decide now. */
  claiming: Set<string>;
  usage: UsageModel;
  deadLetters: DeadLetterModel;
  queues: Queues;
  taskOutbox: Outbox<AnyEvent>;
  executionOutbox: Outbox<ExecutionEntry>;
  access: ProjectAccessCache;
  users: RpcClient<typeof UserServiceService>;
  accounts: RpcClient<typeof AuthServiceService>;
  knownUsers: KnownUsers;
}

/** Connect, make sure that indexes are there, and tie the outboxes to what they tell. */
export async function createContext({ config, log, resources }: BaseContext<SettingNames>): Promise<Context> {
  const { connection } = await resources.connectMongo('tasks');
  const bus = await resources.connectBus();
  const tasks = taskModel(connection);
  const history = historyModel(connection);
  const executions = executionModel(connection);
  const slots = slotModel(connection);
  const usage = usageModel(connection);
  const deadLetters = deadLetterModel(connection);
  await Promise.all([tasks.init(), history.init(), executions.init(), slots.init(), usage.init(), deadLetters.init()]);
  const projects = resources.channel('project-service');
  const tellEvent = async (event: AnyEvent) => {
    await recordHistory(history, event);
    await bus.publishEvent(event);
    await followTask(ctx, event);
  };
  const queues = await openQueues(connection, (event) => bus.publishEvent(event), log);
  resources.use(queues.outbox);
  const fair = await openFairOrder(connection);
  const ctx: Context = {
    config,
    log,
    bus,
    tasks,
    history,
    executions,
    slots,
    fair,
    claiming: new Set(),
    usage,
    deadLetters,
    queues,
    taskOutbox: resources.use(new Outbox(tasks.collection, tellEvent, log)),
    executionOutbox: resources.use(
      new Outbox<ExecutionEntry>(executions.collection, (news, id) => tell(ctx, id, news), log),
    ),
    access: new ProjectAccessCache(projects),
    users: projects.client(UserServiceService),
    accounts: projects.client(AuthServiceService),
    knownUsers: new KnownUsers(projects),
  };
  return ctx;
}

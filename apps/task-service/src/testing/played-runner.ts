import type { ClaimExecutionRequest } from '@claude-cli/proto/platform/v1/executions';
import type { ExecutionOptions } from '@claude-cli/proto/platform/v1/tasks';
import { type Priority, priorities } from '@claude-cli/shared/amqp/topology';
import { newEvent, type RunResult } from '@claude-cli/shared/events';
import { newId } from '@claude-cli/shared/ids';
import { until } from '@claude-cli/shared/testing/until';
import { nameOf } from '../queues/queue-name.ts';
import type { TestPlatform } from './platform.ts';

/** A test that plays the runner: it makes tasks, takes tokens, claims and reports. */
export interface PlayedRunner extends AsyncDisposable {
  /** Project of the tasks that are made without naming one. */
  project_id: string;
  newTask(project?: string, dependencies?: { depends_on_task_id: string }[]): Promise<string>;
  execute(
    task_id: string,
    priority?: Priority,
    options?: ExecutionOptions,
  ): ReturnType<TestPlatform['tasks']['executeTask']>;
  /** Whether there is a token in a queue now, which is taken then. */
  take(priority?: Priority): Promise<boolean>;
  /** Take one when it comes. */
  takeSoon(priority?: Priority): Promise<boolean>;
  /** Ask for what is in turn. */
  claim(
    priority?: Priority,
    question?: Partial<ClaimExecutionRequest>,
  ): ReturnType<TestPlatform['executions']['claimExecution']>;
  /** Execute a task and claim it. */
  run(task_id: string, options?: ExecutionOptions): Promise<RunFacts>;
  report(about: RunFacts, ending?: Partial<RunResult>): Promise<void>;
  taskBecomes(task_id: string, status: string): ReturnType<TestPlatform['tasks']['getTask']>;
  /** The stored execution. */
  stored(execution_id: string): ReturnType<typeof storedExecution>;
  /** Take all tokens. */
  purge(): Promise<void>;
  /** Cancel all that waits, and take all tokens. */
  clear(): Promise<void>;
}

/** For a machine that is busy. */
const patience = { deadlineMs: 20_000 };

type RunFacts = Pick<RunResult, 'execution_id' | 'task_id' | 'generation'>;

/** Play the runner of a platform, in a new project. */
export async function playRunner(platform: TestPlatform): Promise<PlayedRunner> {
  const { bus } = platform.ctx;
  const channel = await bus.openChannel(async () => {});
  const { id: project_id } = await platform.projects.createProject({ name: 'Runs' }, platform.admin);

  const execute: PlayedRunner['execute'] = (task_id, priority = 'normal', options = {}) =>
    platform.tasks.executeTask({ task_id, priority, options }, platform.admin, patience);
  const take: PlayedRunner['take'] = async (priority = 'normal') => {
    const message = await channel.current?.get(bus.names.executionQueue(priority), { noAck: true });
    return message !== false && message !== undefined;
  };
  const takeSoon: PlayedRunner['takeSoon'] = (priority) => until('a token', () => take(priority));
  const claim: PlayedRunner['claim'] = (priority = 'normal', question = {}) => {
    const asked = {
      ...{ priority, claim_id: newId(), more_claim_ids: [], runner_id: 'runner-1', no_agents: false },
      ...question,
    };
    return platform.executions.claimExecution(asked, platform.runner, patience);
  };
  const purge = async () => {
    for (const priority of priorities) await channel.current?.purgeQueue(bus.names.executionQueue(priority));
  };
  return {
    project_id,
    newTask: (project = project_id, dependencies = []) => newTask(platform, project, dependencies),
    execute,
    take,
    takeSoon,
    claim,
    run: async (task_id, options) => {
      const { execution_id } = await execute(task_id, 'normal', options);
      await takeSoon();
      const { job } = await claim();
      if (job?.execution_id !== execution_id) throw new Error('not granted');
      return { execution_id, task_id, generation: job.generation };
    },
    report: (about, ending) => bus.publishEvent(finished(project_id, about, ending)),
    taskBecomes: (task_id, status) =>
      until(`the task to be ${status}`, async () => {
        const task = await platform.tasks.getTask({ task_id }, platform.admin);
        return task.status === status && task;
      }),
    stored: (execution_id) => storedExecution(platform, execution_id),
    purge,
    clear: async () => {
      for (const priority of priorities) {
        await platform.queues.clearQueue({ queue_name: nameOf(priority), confirm: true }, platform.admin, patience);
      }
      await purge();
    },
    [Symbol.asyncDispose]: () => channel[Symbol.asyncDispose](),
  };
}

async function newTask(platform: TestPlatform, project_id: string, dependencies: { depends_on_task_id: string }[]) {
  const request = { title: 'Run it', project_id, tags: [], dependencies, command: 'echo hello' };
  return (await platform.tasks.createTask(request, platform.admin, patience)).id;
}

async function storedExecution({ ctx }: TestPlatform, execution_id: string) {
  const execution = await ctx.executions.findById(execution_id).lean();
  if (!execution) throw new Error('no execution');
  return execution;
}

function finished(project_id: string, about: RunFacts, ending: Partial<RunResult> = {}) {
  const now = new Date().toISOString();
  const data: RunResult = {
    ...about,
    status: 'completed',
    exit_code: 0,
    error: null,
    result: null,
    output_bytes: 5,
    cpu_seconds: null,
    peak_memory_bytes: null,
    started_at: now,
    finished_at: now,
    ...ending,
  };
  return newEvent('execution.finished', { actor: 'u', project_id }, data);
}

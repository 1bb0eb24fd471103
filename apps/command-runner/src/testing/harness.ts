import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CommandServiceService } from '@claude-cli/proto/platform/v1/commands';
import type { Job } from '@claude-cli/proto/platform/v1/executions';
import { Bus } from '@claude-cli/shared/amqp/bus';
import type { Priority } from '@claude-cli/shared/amqp/topology';
import { type Caller, permissionsOf, type Role } from '@claude-cli/shared/caller';
import type { AnyEvent } from '@claude-cli/shared/events';
import type { RpcClient } from '@claude-cli/shared/grpc/client';
import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { createLogger } from '@claude-cli/shared/logger';
import { type RunningService, startService } from '@claude-cli/shared/service/service';
import { testChannel } from '@claude-cli/shared/testing/channel';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { until } from '@claude-cli/shared/testing/until';
import type { Context } from '../context.ts';
import { database } from '../database.ts';
import { commandRunner } from '../service.ts';
import { StandIn } from './stand-in.ts';

const log = createLogger('test', process.env.TEST_LOG_LEVEL ?? 'silent');

/** A runner with what a test asks it by. */
export interface TestRunner extends RunningService<Context> {
  commands: RpcClient<typeof CommandServiceService>;
}

/** What a job is to be, where it differs from the usual one. */
type JobFields = Partial<Job> & { priority?: Priority };

/** A broker prefix, databases and a workspace of the test's own, and stand-ins for the other services. */
export class Harness implements AsyncDisposable {
  readonly env: Record<string, string>;
  readonly bus: Bus;
  readonly standIn: StandIn;
  readonly project = newId();
  /** Events in the order of their arrival. */
  readonly events: AnyEvent[] = [];
  readonly #stack: AsyncDisposableStack;
  readonly #runners = new Set<() => Promise<void>>();

  private constructor(env: Record<string, string>, bus: Bus, standIn: StandIn, stack: AsyncDisposableStack) {
    this.env = env;
    this.bus = bus;
    this.standIn = standIn;
    this.#stack = stack;
  }

  static async start(overrides: Record<string, string> = {}): Promise<Harness> {
    await using stack = new AsyncDisposableStack();
    const { env: names } = stack.use(testEnvironment());
    await migrated(names, database);
    const workspace = await mkdtemp(join(tmpdir(), 'test-runner-'));
    stack.defer(() => rm(workspace, { recursive: true, force: true }));
    const bus = stack.use(await Bus.connect(names.AMQP_URL ?? '', names.AMQP_PREFIX ?? '', log));
    const standIn = stack.use(await StandIn.start(log));
    const env = {
      ...names,
      WORKSPACE_ROOT: workspace,
      TASK_SERVICE_ADDRESS: standIn.address,
      PROJECT_SERVICE_ADDRESS: standIn.address,
      SHUTDOWN_GRACE_MS: '2000',
      ...overrides,
    };
    const harness = new Harness(env, bus, standIn, stack.move());
    const watched = { exchange: 'events', patterns: ['#'], prefetch: 1 } as const;
    const watching = await bus.subscribe<AnyEvent>(watched, async (event) => {
      harness.events.push(event);
    });
    harness.#stack.use(watching);
    return harness;
  }

  /** Start a runner; it is stopped with the harness unless the test stops it. */
  async runner(overrides: Record<string, string> = {}): Promise<TestRunner> {
    const service = await startService(commandRunner, { ...this.env, ...overrides });
    const channel = testChannel(service.grpcPort);
    const stop = async () => {
      if (!this.#runners.delete(stop)) return;
      channel.close();
      await service[Symbol.asyncDispose]();
    };
    this.#runners.add(stop);
    return { ...service, commands: channel.client(CommandServiceService), [Symbol.asyncDispose]: stop };
  }

  /** Queue an execution of a shell command, or, without one, of the agent, and announce it. Answers the job. */
  async execute(command: string | undefined, more: JobFields = {}): Promise<Job> {
    const job = this.queueUnannounced(command, more);
    await this.bus.publishJob(more.priority ?? 'normal');
    return job;
  }

  /** Queue an execution without a token. Answers the job. */
  queueUnannounced(command: string | undefined, { priority = 'normal', ...fields }: JobFields = {}): Job {
    const job: Job = {
      execution_id: newId(),
      task_id: newId(),
      project_id: this.project,
      user_id: 'user-1',
      generation: 1,
      prompt: 'Say hello',
      timeout_ms: 30_000,
      lease_ms: 30_000,
      ...(command === undefined ? {} : { command }),
      ...fields,
    };
    this.standIn.queue(priority, job);
    return job;
  }

  /** The report of an execution's end, when it comes. */
  finished(executionId: string) {
    return until(`the report of ${executionId} arrives`, () =>
      this.events.find((e) => e.type === 'execution.finished' && e.data.execution_id === executionId),
    ).then((event) => event.data as Extract<AnyEvent, { type: 'execution.finished' }>['data']);
  }

  /** What was shown live of a command, in the order of arrival. */
  shown(commandId: string) {
    return this.events.flatMap((e) => (e.type === 'command.output' && e.data.command_id === commandId ? [e.data] : []));
  }

  /** Messages that wait in a queue, and consumers on it. */
  async queue(priority: Priority): Promise<{ messageCount: number; consumerCount: number }> {
    const kept = await this.bus.openChannel(async () => {});
    try {
      const answer = await kept.current?.checkQueue(this.bus.names.executionQueue(priority));
      if (!answer) throw new Error('no channel');
      return answer;
    } finally {
      await kept[Symbol.asyncDispose]();
    }
  }

  /** Stop the runners and forget what happened, for the next test. */
  async reset(): Promise<void> {
    await Promise.all([...this.#runners].map((stop) => stop()));
    this.events.length = 0;
    this.standIn.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reset();
    await this.#stack.disposeAsync();
  }
}

/** Somebody who calls. */
export function as(userId: string, role: Role = 'developer'): Origin {
  const caller: Caller = { user_id: userId, role, permissions: permissionsOf[role] };
  return { caller, requestId: newId() };
}

import { type EventCatalog, type EventType, newEvent, type TaskFacts } from '@claude-cli/shared/events';
import type { RunningGrpcServer } from '@claude-cli/shared/grpc/server';
import { newId } from '@claude-cli/shared/ids';
import { type RunningService, startService } from '@claude-cli/shared/service/service';
import { signToken } from '@claude-cli/shared/tokens';
import type { Context } from '../context.ts';
import type { Limits } from '../limits.ts';
import { realtimeWith } from '../service.ts';
import { startBroker, type TestBroker } from './broker.ts';
import { Client } from './client.ts';
import { startStubs, World } from './stubs.ts';

const secret = 'a secret of the tests that is long enough';

/** A user of the tests. */
export interface User {
  id: string;
  session: string;
}

/** The real service between real neighbours that only tests know. */
export class Platform implements AsyncDisposable {
  readonly world: World;
  readonly broker: TestBroker;
  readonly service: RunningService<Context>;
  readonly stubs: RunningGrpcServer;
  readonly #stack: AsyncDisposableStack;

  private constructor(own: Pick<Platform, 'world' | 'broker' | 'service' | 'stubs'>, stack: AsyncDisposableStack) {
    this.world = own.world;
    this.broker = own.broker;
    this.service = own.service;
    this.stubs = own.stubs;
    this.#stack = stack;
  }

  static async start(limits: Partial<Limits> = {}): Promise<Platform> {
    await using stack = new AsyncDisposableStack();
    const world = new World();
    const broker = stack.use(await startBroker());
    const stubs = await startStubs(world);
    stack.defer(() => stubs.stop(0));
    const address = `127.0.0.1:${stubs.port}`;
    const service = stack.use(
      await startService(realtimeWith(limits), {
        PORT: '0',
        GRPC_PORT: '0',
        ADMIN_PORT: '0',
        LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
        JWT_SECRET: secret,
        AMQP_URL: broker.url,
        AMQP_PREFIX: broker.prefix,
        PROJECT_SERVICE_ADDRESS: address,
        TASK_SERVICE_ADDRESS: address,
        COMMAND_RUNNER_ADDRESS: address,
      }),
    );
    return new Platform({ world, broker, service, stubs }, stack.move());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** A user with a session. */
  user(): User {
    const user = { id: newId(), session: newId() };
    this.world.sessions.set(user.session, user.id);
    return user;
  }

  /** A project with members. */
  project(...members: User[]): string {
    const id = newId();
    this.world.members.set(id, new Set(members.map((member) => member.id)));
    return id;
  }

  /** A task in a project. */
  task(projectId: string): string {
    const id = newId();
    this.world.tasks.set(id, projectId);
    return id;
  }

  token(user: User, { expiresIn = 3600, role = 'developer' as 'admin' | 'developer' | 'viewer' } = {}): string {
    this.world.roles.set(user.id, role);
    return signToken([secret], { id: user.id, username: 'somebody', role }, expiresIn);
  }

  /** Connect without signing in. */
  connect(session: string, headers: Record<string, string> = {}): Promise<Client> {
    return Client.open(this.url(session), headers);
  }

  url(session: string): string {
    return `ws://127.0.0.1:${this.service.ctx.port}/ws/${session}`;
  }

  /** Connect and sign in. */
  async signIn(user: User): Promise<Client> {
    const client = await this.connect(user.session);
    const answer = await client.ask({ type: 'authenticate', token: this.token(user) });
    if (answer.type !== 'authenticated') throw new Error(`not signed in: ${JSON.stringify(answer)}`);
    return client;
  }

  /** Tell a fact, as the other services do. */
  async tell<Type extends EventType>(type: Type, project_id: string | null, data: EventCatalog[Type]): Promise<void> {
    await this.broker.bus.publishEvent(newEvent(type, { actor: 'test', project_id }, data));
  }

  /** Tell output of a command. */
  output(project_id: string | null, task_id: string | null, command_id: string, content: string): Promise<void> {
    const timestamp = new Date().toISOString();
    const pieces = [{ stream: 'stdout' as const, content, timestamp }];
    return this.tell('command.output', project_id, { command_id, task_id, user_id: 'test', sequence: 1, pieces });
  }
}

/** Facts about a task. */
export function facts(task_id: string, own: Partial<TaskFacts> = {}): TaskFacts {
  const updated_at = '2025-07-30T14:00:00.000Z';
  return { task_id, title: 'a task', status: 'running', progress_percentage: 45, updated_at, changes: [], ...own };
}

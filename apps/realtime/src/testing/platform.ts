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

/** One process of the service. */
export type Replica = RunningService<Context>;

/** The real service between real neighbours that only tests know. */
export class Platform implements AsyncDisposable {
  readonly world: World;
  readonly broker: TestBroker;
  readonly service: Replica;
  readonly stubs: RunningGrpcServer;
  /** Start another replica of the service; the caller stops it. */
  readonly startReplica: (limits?: Partial<Limits>) => Promise<Replica>;
  readonly #stack: AsyncDisposableStack;
  /** How many pieces each command has written. */
  readonly #pieces = new Map<string, number>();

  private constructor(
    own: Pick<Platform, 'world' | 'broker' | 'service' | 'stubs' | 'startReplica'>,
    stack: AsyncDisposableStack,
  ) {
    this.world = own.world;
    this.broker = own.broker;
    this.service = own.service;
    this.stubs = own.stubs;
    this.startReplica = own.startReplica;
    this.#stack = stack;
  }

  static async start(limits: Partial<Limits> = {}, settings: Record<string, string> = {}): Promise<Platform> {
    await using stack = new AsyncDisposableStack();
    const world = new World();
    const broker = stack.use(await startBroker());
    const stubs = await startStubs(world);
    stack.defer(() => stubs.stop(0));
    const address = `127.0.0.1:${stubs.port}`;
    const startReplica: Platform['startReplica'] = (own = {}) =>
      startService(realtimeWith({ ...limits, ...own }), {
        ...broker.env,
        JWT_SECRET: secret,
        AMQP_URL: broker.url,
        PROJECT_SERVICE_ADDRESS: address,
        TASK_SERVICE_ADDRESS: address,
        COMMAND_RUNNER_ADDRESS: address,
        ...settings,
      });
    const service = stack.use(await startReplica());
    return new Platform({ world, broker, service, stubs, startReplica }, stack.move());
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
  connect(session: string, headers: Record<string, string> = {}, replica = this.service): Promise<Client> {
    return Client.open(this.url(session, replica), headers);
  }

  url(session: string, replica = this.service): string {
    return `ws://127.0.0.1:${replica.ctx.port}/ws/${session}`;
  }

  /** Connect and sign in. */
  async signIn(user: User, replica = this.service): Promise<Client> {
    const client = await this.connect(user.session, {}, replica);
    const answer = await client.ask({ type: 'authenticate', token: this.token(user) });
    if (answer.type !== 'authenticated') throw new Error(`not signed in: ${JSON.stringify(answer)}`);
    return client;
  }

  /** Tell a fact, as the other services do. */
  async tell<Type extends EventType>(type: Type, project_id: string | null, data: EventCatalog[Type]): Promise<void> {
    await this.broker.bus.publishEvent(newEvent(type, { actor: 'test', project_id }, data));
  }

  /** Tell output of a command: its next piece, or several. */
  output(project_id: string | null, task_id: string | null, command_id: string, ...contents: string[]): Promise<void> {
    const timestamp = new Date().toISOString();
    const pieces = contents.map((content) => ({ stream: 'stdout' as const, content, timestamp }));
    const sequence = (this.#pieces.get(command_id) ?? 0) + 1;
    this.#pieces.set(command_id, sequence + pieces.length - 1);
    const about = { command_id, run_id: command_id, task_id, user_id: 'test' };
    return this.tell('command.output', project_id, { ...about, sequence, pieces });
  }
}

/** Facts about a task. */
export function facts(task_id: string, own: Partial<TaskFacts> = {}): TaskFacts {
  const updated_at = '2025-07-30T14:00:00.000Z';
  return { task_id, title: 'a task', status: 'running', progress_percentage: 45, updated_at, changes: [], ...own };
}

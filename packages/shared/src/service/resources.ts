import { Bus } from '../amqp/bus.ts';
import { type ChannelOptions, RpcChannel } from '../grpc/client.ts';
import { type Trust, trustBy, trustSettings } from '../grpc/trust.ts';
import type { Logger } from '../logger.ts';
import { awaitMigration } from '../migrations/await-migration.ts';
import type { Database } from '../migrations/database.ts';
import { connectMongo, type Mongo } from '../mongo.ts';
import { readSettings } from '../settings.ts';

const addressSettings = {
  'project-service': 'PROJECT_SERVICE_ADDRESS',
  'task-service': 'TASK_SERVICE_ADDRESS',
  'command-runner': 'COMMAND_RUNNER_ADDRESS',
  realtime: 'REALTIME_ADDRESS',
  'webhook-dispatcher': 'WEBHOOK_DISPATCHER_ADDRESS',
} as const;

/** An app that answers gRPC. */
export type Owner = keyof typeof addressSettings;

/** The apps that answer gRPC. */
export const owners = Object.keys(addressSettings) as Owner[];

/** What a process holds of the outside world: acquired once, released in reverse order when the service stops. */
export class Resources implements AsyncDisposable {
  readonly #env: Record<string, string | undefined>;
  readonly #log: Logger;
  readonly #stack = new AsyncDisposableStack();
  readonly #channels = new Map<Owner, RpcChannel>();
  /** By what other apps know this one, and it them. */
  readonly trust: Trust;
  /** The service's own database, once asked for. */
  mongo: Mongo | undefined;
  /** The broker, once asked for. */
  bus: Bus | undefined;

  constructor(env: Record<string, string | undefined>, log: Logger) {
    this.#env = env;
    this.#log = log;
    this.trust = trustBy(readSettings(trustSettings, env));
  }

  /** Connect to the service's own database. Resolves when it has been migrated to what this version counts on. */
  async connectMongo(database: Database): Promise<Mongo> {
    const { MONGODB_URI } = readSettings(['MONGODB_URI'], this.#env);
    this.mongo = this.#stack.use(await connectMongo(MONGODB_URI, database.name, this.#log));
    await awaitMigration(this.mongo.connection, database, this.#log);
    return this.mongo;
  }

  /** Connect to the broker. */
  async connectBus(): Promise<Bus> {
    const settings = readSettings(['AMQP_URL', 'AMQP_PREFIX', 'AMQP_BUNDLES'], this.#env);
    const { AMQP_URL, AMQP_PREFIX, AMQP_BUNDLES } = settings;
    this.bus = this.#stack.use(await Bus.connect(AMQP_URL, AMQP_PREFIX, this.#log, { together: AMQP_BUNDLES }));
    return this.bus;
  }

  /** The connection to another app. */
  channel(owner: Owner): RpcChannel {
    const known = this.#channels.get(owner);
    if (known) return known;
    const channel = this.#connect(owner, {});
    this.#channels.set(owner, channel);
    return channel;
  }

  /** A connection of its own to one replica of another app: all of its calls meet there. */
  stickyChannel(owner: Owner): RpcChannel {
    return this.#connect(owner, { sticky: true });
  }

  #connect(owner: Owner, options: ChannelOptions): RpcChannel {
    const setting = addressSettings[owner];
    const channel = new RpcChannel(readSettings([setting], this.#env)[setting], this.trust, options);
    this.#stack.defer(() => channel.close());
    return channel;
  }

  /** Let something be released when the service stops, before everything acquired earlier. */
  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    return this.#stack.use(resource);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** Reasons why the service cannot work now. */
  async unready(): Promise<string[]> {
    const reasons: string[] = [];
    if (this.bus && !this.bus.connected) reasons.push('the broker is not connected');
    if (this.mongo) await this.mongo.ping().catch(() => reasons.push('the database does not answer'));
    return reasons;
  }
}

import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { forkNode } from './child.ts';
import type { DataDir } from './data-dir.ts';
import { root } from './paths.ts';
import { freePort } from './ports.ts';
import { SetupError } from './setup-error.ts';
import { Supervised, superviseAll } from './supervised.ts';

/** A MongoDB-wire server that answers. */
export interface Store extends AsyncDisposable {
  /** Its address, with the name of the database. */
  uri: string;
  /** Where it is, for people. */
  description: string;
  /** Its process, when it is the embedded one. */
  part?: Supervised;
}

/** What finding a store depends on. */
export interface StoreOptions {
  env: NodeJS.ProcessEnv;
  dataDir: DataDir;
  onLine: (line: string) => void;
  onGiveUp: (error: SetupError) => void;
  signal?: AbortSignal | undefined;
}

const dialTimeoutMs = 5_000;

/** MONGODB_URI, else the embedded server with its files in the data directory. */
export async function findStore(options: StoreOptions): Promise<Store> {
  const { env } = options;
  if (!env.MONGODB_URI) return startEmbedded(options);
  await assertAnswers(env.MONGODB_URI);
  return {
    uri: withDatabase(env.MONGODB_URI),
    description: `MongoDB at ${hostsOf(env.MONGODB_URI).join(', ')}`,
    [Symbol.asyncDispose]: async () => {},
  };
}

async function startEmbedded(options: StoreOptions): Promise<Store> {
  const { dataDir, onLine, onGiveUp, signal } = options;
  const port = await freePort();
  const dir = join(dataDir.path, 'mongo');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const env = { ...options.env, EMBEDDED_MONGO_PORT: String(port), EMBEDDED_MONGO_DIR: dir };
  let listening = false;
  const store = new Supervised({
    name: 'embedded-mongo',
    start: (note) => {
      listening = false;
      const read = (line: string) => {
        if (line.startsWith('listening on mongodb://')) listening = true;
        else note(line);
      };
      const cwd = join(root, 'packages/embedded-mongo');
      return forkNode(join(cwd, 'src/main.ts'), [], { name: 'embedded-mongo', cwd, env, dataDir, onLine: read });
    },
    isReady: async () => listening,
    readyTimeoutMs: 180_000,
    graceMs: 10_000,
    onLine,
    onGiveUp,
    onRestart: onLine,
  });
  const running = await superviseAll([store], signal);
  return {
    uri: withDatabase(`mongodb://127.0.0.1:${port}`),
    description: `embedded, ${dir}`,
    part: store,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The address with its database, or else claude_cli. */
export function withDatabase(uri: string): string {
  const [, base = uri, path = '', query = ''] = /^([^/]+\/\/[^/?]+)(?:\/([^?]*))?(\?.*)?$/.exec(uri) ?? [];
  return `${base}/${path || 'claude_cli'}${query}`;
}

function hostsOf(uri: string): string[] {
  const hosts = /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]+)/.exec(uri)?.[1];
  if (!hosts) throw new SetupError('MONGODB_URI is not an address such as mongodb://host:27017/name: correct it.');
  return hosts.split(',');
}

async function assertAnswers(uri: string): Promise<void> {
  const hosts = hostsOf(uri);
  // The hosts behind a DNS seed list, and sockets of the file system, are left to the driver.
  if (uri.startsWith('mongodb+srv:') || hosts.some((host) => host.includes('%2F'))) return;
  await Promise.any(hosts.map(dial)).catch(() => {
    throw new SetupError(
      `MONGODB_URI names ${hosts.join(', ')}, but nothing answers there: start MongoDB, or unset MONGODB_URI to use the embedded one.`,
    );
  });
}

async function dial(host: string): Promise<void> {
  const { hostname, port } = new URL(`http://${host}`);
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || 27_017,
    timeout: dialTimeoutMs,
  });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
      socket.once('timeout', () => reject(new Error('no answer')));
    });
  } finally {
    socket.destroy();
  }
}

import { createServer, type Socket } from 'node:net';
import { type Log, type ServerState, serve, Turn } from './connection.ts';
import { Cursors } from './cursors.ts';
import { compileFilter } from './filter.ts';
import { runQuery } from './query.ts';
import { Store } from './store.ts';

const loopback = ['127.0.0.1', '::1', 'localhost'];
const loopbackPeers = /^(?:::ffff:)?127\.|^::1$/;
const maxConnections = 1000;
const defaultTtlIntervalMs = 60_000;

/** How a server is set up. */
export interface ServerOptions {
  /** The port; 0 or absent for any free one. */
  readonly port?: number;
  /** Loopback only: the server has no authentication. Default 127.0.0.1. */
  readonly host?: '127.0.0.1' | '::1' | 'localhost';
  /** The folder of the data; without it the data is in memory only and ends with the server. */
  readonly dataDir?: string;
  /** How often documents are looked for whose time (TTL) has come, in milliseconds. Default 60,000. */
  readonly ttlIntervalMs?: number;
  /** Takes what an operator should know. Default: nowhere. */
  readonly log?: Log;
}

/** A running server. */
export interface EmbeddedServer extends AsyncDisposable {
  /** The connection string of the server. */
  readonly uri: string;
  readonly port: number;
  /** Ends all connections, writes what waits and gives the folder back. */
  close(): Promise<void>;
}

/**
 * Starts a server that speaks MongoDB's wire protocol, as a standalone of version 7.0.
 * @throws Error when the host is not loopback, the port is taken or another server uses the folder
 */
export async function startServer(options: ServerOptions = {}): Promise<EmbeddedServer> {
  const {
    port = 0,
    host = '127.0.0.1',
    dataDir,
    ttlIntervalMs = defaultTtlIntervalMs,
    log = () => undefined,
  } = options;
  if (!loopback.includes(host)) throw new Error(`embedded-mongo listens on loopback only, not on ${host}`);
  const store = new Store(dataDir);
  const state: ServerState = { store, cursors: new Cursors(), log, turn: new Turn(), port, connections: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (!loopbackPeers.test(socket.remoteAddress ?? '')) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serve(socket, state);
  });
  server.maxConnections = maxConnections;
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    store.close();
    throw error;
  }
  const bound = server.address();
  state.port = typeof bound === 'object' && bound ? bound.port : port;
  const ttl = setInterval(() => {
    try {
      store.transaction(() => removeExpired(store, Date.now()));
    } catch (error) {
      log(`expired documents stay: ${String(error)}`);
    }
  }, ttlIntervalMs).unref();
  const close = async (): Promise<void> => {
    clearInterval(ttl);
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
    store.close();
  };
  const shownHost = host === '::1' ? '[::1]' : host;
  return {
    uri: `mongodb://${shownHost}:${state.port}`,
    port: state.port,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Removes the documents whose time (TTL) has come. */
function removeExpired(store: Store, now: number): void {
  for (const collection of store.collections) {
    for (const { spec } of collection.indexes) {
      if (spec.expireAfterSeconds === undefined) continue;
      const [path = ''] = Object.keys(spec.key);
      const filter = compileFilter({ [path]: { $lte: new Date(now - spec.expireAfterSeconds * 1000) } });
      for (const doc of runQuery(collection, { filter }).docs) collection.remove(doc);
    }
  }
}

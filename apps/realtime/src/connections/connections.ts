import type { Limits } from '../limits.ts';
import type { Connection } from './connection.ts';

/** The open connections of this process. */
export class Connections {
  readonly #limits: Limits;
  /** With the user for whom each is counted. */
  readonly #all = new Map<Connection, string | undefined>();
  readonly #byUser = new Map<string, Set<Connection>>();
  #drained: (() => void) | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether this process takes no more. */
  get full(): boolean {
    return this.#all.size >= this.#limits.connections;
  }

  /** Mean of the latest round trip of each connection, in milliseconds; 0 before the first. */
  get meanLatency(): number {
    const latencies = [...this.#all.keys()].flatMap(({ latencyMs }) => latencyMs ?? []);
    const sum = latencies.reduce((total, latency) => total + latency, 0);
    return latencies.length === 0 ? 0 : Math.round((sum / latencies.length) * 100) / 100;
  }

  /** A connection was opened. */
  add(connection: Connection): void {
    this.#all.set(connection, undefined);
  }

  /** A connection was closed. */
  remove(connection: Connection): void {
    this.release(connection);
    this.#all.delete(connection);
    if (this.#all.size === 0) this.#drained?.();
  }

  /** Count a connection for a user. @returns false when the user has as many as are allowed */
  admit(connection: Connection, userId: string): boolean {
    const own = this.#byUser.get(userId) ?? new Set();
    if (own.size >= this.#limits.connectionsPerUser && !own.has(connection)) return false;
    this.#byUser.set(userId, own.add(connection));
    this.#all.set(connection, userId);
    return true;
  }

  /** The opposite of {@link admit}. */
  release(connection: Connection): void {
    const userId = this.#all.get(connection);
    if (userId === undefined) return;
    this.#all.set(connection, undefined);
    const own = this.#byUser.get(userId);
    own?.delete(connection);
    if (own?.size === 0) this.#byUser.delete(userId);
  }

  /** Connections of a user. */
  ofUser(userId: string): Connection[] {
    return [...(this.#byUser.get(userId) ?? [])];
  }

  /** Ping all; those that did not answer the previous ping are cut. */
  pingAll(): void {
    for (const connection of this.#all.keys()) connection.ping();
  }

  /** Close all because the process ends. Resolves when they are closed or cut. */
  async closeAll(): Promise<void> {
    if (this.#all.size === 0) return;
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    for (const connection of this.#all.keys()) connection.close(1001, 'the server is going away');
    await drained;
  }
}

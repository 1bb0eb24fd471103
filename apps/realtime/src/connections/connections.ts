import type { Limits } from '../limits.ts';
import type { Connection } from './connection.ts';
import { type Transport, transports } from './link.ts';

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

  /** How many there are of each transport. */
  byTransport(): Map<Transport, number> {
    const counts = new Map<Transport, number>(transports.map((transport) => [transport, 0]));
    for (const { transport } of this.#all.keys()) counts.set(transport, (counts.get(transport) ?? 0) + 1);
    return counts;
  }

  /** Bytes that wait for all of them. */
  get waitingBytes(): number {
    return [...this.#all.keys()].reduce((total, connection) => total + connection.waitingBytes, 0);
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

  /**
   * Count a connection for a user, unless it was closed meanwhile.
   * @returns false when the user has as many as are allowed
   */
  admit(connection: Connection, userId: string): boolean {
    // Nobody would ever take it away again.
    if (!this.#all.has(connection)) return true;
    const own = this.#byUser.get(userId) ?? new Set();
    if (own.size >= this.#limits.connectionsPerUser && !own.has(connection)) return false;
    this.#byUser.set(userId, own.add(connection));
    this.#all.set(connection, userId);
    return true;
  }

  /** The opposite of {@link admit}. @returns the user for whom it was counted */
  release(connection: Connection): string | undefined {
    const userId = this.#all.get(connection);
    if (userId === undefined) return undefined;
    this.#all.set(connection, undefined);
    const own = this.#byUser.get(userId);
    own?.delete(connection);
    if (own?.size === 0) this.#byUser.delete(userId);
    return userId;
  }

  /** Connections of a user. */
  ofUser(userId: string): Connection[] {
    return [...(this.#byUser.get(userId) ?? [])];
  }

  /** Users with the ids of their connections, each as they are when they are asked for. */
  *idsByUser(): Generator<[userId: string, connectionIds: string[]]> {
    for (const userId of [...this.#byUser.keys()]) {
      const own = this.ofUser(userId);
      if (own.length > 0) yield [userId, own.map(({ id }) => id)];
    }
  }

  /** Ping all; those that did not answer the previous ping are cut. */
  pingAll(): void {
    for (const connection of this.#all.keys()) connection.ping();
  }

  /** Close all because the process ends; each is told when to come back. Resolves when they are closed or cut. */
  async closeAll(): Promise<void> {
    if (this.#all.size === 0) return;
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    const { comeBackMs, comeBackSpreadMs } = this.#limits;
    for (const connection of this.#all.keys()) {
      // Not all at once: they would all ask for what they missed.
      const retry_after_ms = Math.round(comeBackMs + Math.random() * comeBackSpreadMs);
      connection.close(1012, { reason: 'restart', retry_after_ms });
    }
    await drained;
  }
}

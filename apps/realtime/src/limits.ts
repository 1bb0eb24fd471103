/** Every bound of the live connections. Times are in milliseconds. */
export const defaultLimits = {
  /** Connections of one process, signed in or not. */
  connections: 10_000,
  connectionsPerUser: 50,
  /** How long a connection counts after its replica last said that it is there. */
  leaseMs: 30_000,
  subscriptionsPerConnection: 200,
  /** How long a connection may stay without having signed in. */
  authenticateMs: 10_000,
  /** Largest message of a client, in bytes. */
  messageBytes: 65_536,
  /** Messages of one client that are handled per second in the long run, and at once. */
  messagesPerSecond: 50,
  messageBurst: 100,
  /** Messages of one client that wait while an earlier one is handled. */
  pendingMessages: 100,
  /**
   * Bytes that wait for one client above which updates of one task are merged, above which output is dropped, and above
   * which the client is disconnected.
   */
  coalesceBytes: 131_072,
  dropOutputBytes: 1_048_576,
  disconnectBytes: 8_388_608,
  /** Pause between pings; a client that has not answered by the next one is gone. */
  pingMs: 30_000,
  /** Pause between checks that subscribers still have access to their projects. */
  recheckMs: 45_000,
  /** Pause between looks for what was missed and nothing followed on. */
  lookMs: 30_000,
  /** Pause between looks at what the channels tell that tell a state. */
  metricsMs: 1_000,
  /** How long the broker may take to confirm a binding. */
  bindMs: 5_000,
  /** When the process stops, its clients are asked to come back after this pause at least, and at most so much later. */
  comeBackMs: 200,
  comeBackSpreadMs: 3_000,
  /** How long a closing handshake may take before the connection is cut. */
  closeMs: 2_000,
};

/** Bounds of the live connections. */
export type Limits = typeof defaultLimits;

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/** Every bound of deliveries that is no setting. Times are in milliseconds. */
export const defaultLimits = {
  /** What one attempt may take: name, connection, handshake, request and answer. */
  requestMs: 15 * second,
  /** What the connection may take of that. */
  connectMs: 10 * second,
  /** Bytes of an answer's body that are kept. */
  responseBytes: 4_096,
  /** Pauses before the second, third, … attempt. After the last one a delivery has failed. */
  retryDelaysMs: [5 * second, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour] as readonly number[],
  /** Share by which a pause is longer or shorter by chance. */
  jitter: 0.2,
  /** Longest pause that a receiver can ask for. */
  longestRetryAfterMs: 10 * hour,

  /** Attempts that fail one after another, by no fault of the delivery, after which an endpoint rests. */
  failuresToRest: 5,
  /** The first rest, doubled each time that the attempt after it fails, too, and the longest. */
  firstRestMs: 30 * second,
  longestRestMs: 10 * minute,
  /** Pause of an endpoint that says it has too much to do (429, 502, 504) without saying for how long, and the longest. */
  slowMs: 5 * second,
  longestSlowMs: hour,
  /** An endpoint is disabled when nothing has succeeded for so long, in at least so many attempts. */
  disableAfterMs: 5 * 24 * hour,
  disableAfterFailures: 10,

  /** How long a process may be silent before others serve its endpoints; the lease is renewed three times in that. */
  leaseMs: 30 * second,
  /** Pause between looks for endpoints with something to send, and for changes of those that are served. */
  pollMs: 250,
  refreshMs: second,
  /** How long a process serves an endpoint that always has more to send before it lets others take it. */
  turnMs: 5 * minute,
  /** How long it keeps one that has nothing more to send. What others store for it meanwhile is sent after that. */
  idleMs: 20,
  /** Requests of one process under way at once, over all endpoints. */
  requests: 1_000,
  /** Endpoints that one process serves at once, and takes at once. */
  endpoints: 2_000,
  claims: 100,
  /**
   * Deliveries of an endpoint that are in memory, per request that it may have under way: as many as are sent while results are
   * being stored. And of all endpoints of a process, where they share them evenly.
   */
  ahead: 10,
  held: 4_000,
  /**
   * How long an endpoint may be silent to which something is sent before it is stored; then that is stored as waiting. Endpoints that
   * take half as long to answer are not sent anything in this way for a while. And how long it may wait for its turn at most.
   */
  unstoredMs: 200,
  unstoredMostMs: 2 * second,
  /** How long it is remembered how fast an endpoint was. */
  rememberedMs: 10 * second,
  /** Results that are written at once. */
  results: 500,
};

/** Bounds of deliveries. */
export type Limits = typeof defaultLimits;

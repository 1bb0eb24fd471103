/** Fields of an object whose values are declared objects themselves: a component's name, or their own fields. */
export type Shape = string | { readonly [field: string]: Shape };

/** An endpoint. */
export interface Operation {
  verb: string;
  /** Below the base URL, with {names} of path fields. */
  path: string;
  /** Whether an Idempotency-Key makes repeating it safe. */
  keyed: boolean;
  /** Names of the fields that go into the query, in snake_case. */
  query: readonly string[];
  request: Shape;
  answer: Shape;
  /** How its list is read on, and which field of the answer holds the entries. */
  paging?: { kind: string; entries: string };
}

/** What one call may have besides its request. */
export interface CallOptions {
  /** Ends the call, its pauses and its repetitions. The call then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds that one attempt may take; the client's `timeoutMs` when absent. */
  timeoutMs?: number | undefined;
  /** Instead of a generated key, so that a repetition by another process is recognized, too. */
  idempotencyKey?: string | undefined;
  /** Session in which this happens; the client's `sessionId` when absent. */
  sessionId?: string | undefined;
  /** Id that the answer and the logs of the platform are to name. */
  requestId?: string | undefined;
}

/** Why there was no answer, or none that counts: also the label of the metric. */
export type Fault = 'refused' | 'name' | 'connection' | 'certificate' | 'timeout' | 'protocol' | 'stopped';

/** How an attempt went. */
export interface Outcome {
  duration_ms: number;
  /** Null when there was no answer. */
  status_code: number | null;
  fault: Fault | null;
  /** In one line, without what names lead to or URLs hold. */
  error: string | null;
  /** The beginning of the answer's body. */
  response: string;
  /** Pause that the receiver asked for by Retry-After, in milliseconds. */
  retryAfterMs: number | null;
}

/** Whether a status says that the receiver has it. A redirect does not: the receiver is elsewhere. */
export function isSuccess({ status_code }: Pick<Outcome, 'status_code'>): boolean {
  return status_code !== null && status_code >= 200 && status_code < 300;
}

/** Whether the receiver wants no more. */
export function isGone({ status_code }: Pick<Outcome, 'status_code'>): boolean {
  return status_code === 410;
}

/** What an error is about, besides its message. */
export interface ErrorFacts {
  code: string;
  status?: number;
  details?: Record<string, unknown>;
  requestId?: string | undefined;
  cause?: unknown;
}

/**
 * Everything that can go wrong in a call. `code` is the one of the API, such as TASK_NOT_FOUND, or one of this SDK:
 * NETWORK_ERROR when there was no answer, TIMEOUT when it did not come in time, INVALID_RESPONSE when it was not one of the
 * platform, CONNECTION_CLOSED when a live connection has ended.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Facts in the names of the API: for a wrong field `{field, issue}`. */
  readonly details: Record<string, unknown>;
  /** By this the logs of the platform are searched. */
  readonly requestId: string | undefined;

  constructor(message: string, { code, status = 0, details = {}, requestId, cause }: ErrorFacts) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.status = status;
    this.details = details;
    this.requestId = requestId;
  }
}

/** Whether something thrown is an error of a call, of one of the codes when some are given. */
export function isApiError(thrown: unknown, ...codes: string[]): thrown is ApiError {
  return thrown instanceof ApiError && (codes.length === 0 || codes.includes(thrown.code));
}

/** Whether what was asked for does not exist, or not for this user. */
export function isNotFound(thrown: unknown): thrown is ApiError {
  return isApiError(thrown) && thrown.status === 404;
}

/** Whether fields of the request are wrong; `details.field` and `details.issue` say which and why. */
export function isInvalid(thrown: unknown): thrown is ApiError {
  return isApiError(thrown) && thrown.code.startsWith('VALIDATION_');
}

/** Whether the token is missing, wrong or expired. */
export function isUnauthenticated(thrown: unknown): thrown is ApiError {
  return isApiError(thrown) && thrown.status === 401;
}

import { status as GrpcStatus } from '@grpc/grpc-js';

/** How one error code travels: its HTTP status at the gateway, its gRPC status between services, and its meaning in the docs. */
export interface ErrorKind {
  http: number;
  grpc: GrpcStatus;
  meaning: string;
}

const kind = (http: number, grpc: GrpcStatus, meaning: string): ErrorKind => ({ http, grpc, meaning });

/** Every error code that the platform answers. The single source of the codes; documents are derived from it. */
export const errorKinds = {
  AUTH_TOKEN_INVALID: kind(401, GrpcStatus.UNAUTHENTICATED, 'The token or the credentials are invalid or expired'),
  AUTH_TOKEN_MISSING: kind(401, GrpcStatus.UNAUTHENTICATED, 'The Authorization header is missing'),
  AUTH_INSUFFICIENT_PERMISSIONS: kind(403, GrpcStatus.PERMISSION_DENIED, 'The user lacks a required permission'),
  AUTH_ACCOUNT_DISABLED: kind(403, GrpcStatus.PERMISSION_DENIED, 'The account is disabled'),
  VALIDATION_ERROR: kind(422, GrpcStatus.INVALID_ARGUMENT, 'The request data is not valid'),
  VALIDATION_REQUIRED_FIELD: kind(422, GrpcStatus.INVALID_ARGUMENT, 'A required field is missing'),
  VALIDATION_INVALID_FORMAT: kind(422, GrpcStatus.INVALID_ARGUMENT, 'The format of a field is invalid'),
  VALIDATION_VALUE_TOO_LONG: kind(422, GrpcStatus.INVALID_ARGUMENT, 'The value of a field exceeds its maximum length'),
  VALIDATION_VALUE_TOO_SHORT: kind(
    422,
    GrpcStatus.INVALID_ARGUMENT,
    'The value of a field is below its minimum length',
  ),
  REQUEST_MALFORMED: kind(400, GrpcStatus.INVALID_ARGUMENT, 'The request cannot be read, for example broken JSON'),
  METHOD_NOT_ALLOWED: kind(405, GrpcStatus.UNIMPLEMENTED, 'The address does not answer this HTTP method'),
  UNSUPPORTED_MEDIA_TYPE: kind(415, GrpcStatus.INVALID_ARGUMENT, 'The body is not of a type that is read'),
  REQUEST_TOO_LARGE: kind(413, GrpcStatus.OUT_OF_RANGE, 'The request body exceeds the limit'),
  RESOURCE_NOT_FOUND: kind(404, GrpcStatus.NOT_FOUND, 'The requested resource does not exist'),
  RESOURCE_ALREADY_EXISTS: kind(409, GrpcStatus.ALREADY_EXISTS, 'A resource with the same identifier exists'),
  RESOURCE_IN_USE: kind(409, GrpcStatus.FAILED_PRECONDITION, 'The resource is in use'),
  RESOURCE_CONFLICT: kind(409, GrpcStatus.ABORTED, 'The present state of the resource does not allow this'),
  RESOURCE_LIMIT_EXCEEDED: kind(409, GrpcStatus.RESOURCE_EXHAUSTED, 'A resource limit is reached'),
  TASK_NOT_FOUND: kind(404, GrpcStatus.NOT_FOUND, 'The task does not exist'),
  TASK_ALREADY_RUNNING: kind(409, GrpcStatus.FAILED_PRECONDITION, 'The task is already queued or running'),
  TASK_EXECUTION_FAILED: kind(500, GrpcStatus.INTERNAL, 'The execution of the task failed'),
  TASK_TIMEOUT: kind(500, GrpcStatus.INTERNAL, 'The execution of the task timed out'),
  TASK_CANCELLED: kind(409, GrpcStatus.FAILED_PRECONDITION, 'The task was cancelled'),
  TASK_DEPENDENCY_NOT_MET: kind(409, GrpcStatus.FAILED_PRECONDITION, 'The dependencies of the task are not completed'),
  PROJECT_NOT_FOUND: kind(404, GrpcStatus.NOT_FOUND, 'The project does not exist'),
  PROJECT_ACCESS_DENIED: kind(403, GrpcStatus.PERMISSION_DENIED, 'The user has no such access to the project'),
  PROJECT_ARCHIVED: kind(409, GrpcStatus.FAILED_PRECONDITION, 'The project is archived and read-only'),
  PROJECT_LIMIT_EXCEEDED: kind(409, GrpcStatus.RESOURCE_EXHAUSTED, 'A limit of the project is exceeded'),
  COMMAND_UNSAFE: kind(422, GrpcStatus.INVALID_ARGUMENT, 'The command would do harm and is refused'),
  IDEMPOTENCY_KEY_REUSED: kind(
    422,
    GrpcStatus.INVALID_ARGUMENT,
    'The Idempotency-Key was used for another request before',
  ),
  IDEMPOTENCY_KEY_IN_USE: kind(409, GrpcStatus.ABORTED, 'The request with this Idempotency-Key is still being done'),
  RATE_LIMIT_EXCEEDED: kind(429, GrpcStatus.RESOURCE_EXHAUSTED, 'Too many requests'),
  SYSTEM_MAINTENANCE: kind(503, GrpcStatus.UNAVAILABLE, 'The system is in maintenance mode'),
  SYSTEM_OVERLOADED: kind(503, GrpcStatus.RESOURCE_EXHAUSTED, 'The system is overloaded, try again later'),
  DATABASE_ERROR: kind(500, GrpcStatus.INTERNAL, 'A database operation failed'),
  QUEUE_FULL: kind(503, GrpcStatus.RESOURCE_EXHAUSTED, 'The task queue is full'),
  WEBSOCKET_CONNECTION_FAILED: kind(502, GrpcStatus.UNAVAILABLE, 'The WebSocket connection failed'),
  SERVICE_UNAVAILABLE: kind(503, GrpcStatus.UNAVAILABLE, 'A service behind the gateway cannot be reached'),
  UPSTREAM_ERROR: kind(502, GrpcStatus.DEADLINE_EXCEEDED, 'A service behind the gateway did not answer in time'),
  INTERNAL_SERVER_ERROR: kind(500, GrpcStatus.INTERNAL, 'Something went wrong inside the platform'),
} as const satisfies Record<string, ErrorKind>;

/** One of the codes of {@link errorKinds}. */
export type ErrorCode = keyof typeof errorKinds;

/** Machine-readable facts about an error that the caller may see, such as `{field, issue}`. */
export type ErrorDetails = Record<string, unknown>;

/** Whether a string, such as one from another service, is one of our codes. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorKinds, code);
}

/** The one error that domain code throws on purpose. Message and details are shown to the caller. */
export class PlatformError extends Error {
  override readonly name = 'PlatformError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /** @param cause what lies behind; logged, never shown */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** HTTP status of the code. */
  get httpStatus(): number {
    return errorKinds[this.code].http;
  }

  /** Our error for anything that was thrown. The unexpected becomes DATABASE_ERROR or INTERNAL_SERVER_ERROR, without its text. */
  static from(thrown: unknown): PlatformError {
    if (thrown instanceof PlatformError) return thrown;
    if (thrown instanceof Error && /^Mongo/.test(thrown.name)) {
      return new PlatformError('DATABASE_ERROR', 'A database operation failed', {}, thrown);
    }
    return new PlatformError('INTERNAL_SERVER_ERROR', 'Something went wrong inside the platform', {}, thrown);
  }

  /** Whether the fault is ours, so that it belongs in the log at level error. */
  get isFault(): boolean {
    return this.code === 'INTERNAL_SERVER_ERROR' || this.code === 'DATABASE_ERROR';
  }
}

/** The error for one field that the caller got wrong. */
export function invalidField(field: string, issue: string, code: ErrorCode = 'VALIDATION_ERROR'): PlatformError {
  return new PlatformError(code, 'Invalid input data', { field, issue });
}

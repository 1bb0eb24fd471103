import { type ErrorCode, errorKinds } from '@claude-cli/shared/errors';
import { type Endpoint, isStoppedByMaintenance, takesIdempotencyKey } from '../contract/endpoints.ts';

/** Codes that come with one status for one reason, so that the same answer is documented once. */
export interface Cause {
  /** Name of the shared answer in documents. */
  name: string;
  codes: readonly ErrorCode[];
  holds(endpoint: Endpoint): boolean;
}

const isSignedIn = ({ access }: Endpoint) => access !== 'everyone';
const needsPermission = ({ access }: Endpoint) => access !== 'everyone' && access !== 'signed_in';
const hasBody = ({ input }: Endpoint) => input === 'body';

const invalid = [
  'VALIDATION_ERROR',
  'VALIDATION_REQUIRED_FIELD',
  'VALIDATION_INVALID_FORMAT',
  'VALIDATION_VALUE_TOO_LONG',
  'VALIDATION_VALUE_TOO_SHORT',
] as const satisfies ErrorCode[];
const unavailable = ['SERVICE_UNAVAILABLE', 'SYSTEM_OVERLOADED'] as const satisfies ErrorCode[];

/** What follows from access, input and method. Of one status, at most one holds for an endpoint. */
export const causes: readonly Cause[] = [
  {
    name: 'Unreadable',
    codes: ['REQUEST_MALFORMED'],
    holds: (endpoint) => hasBody(endpoint) || endpoint.pathParameters.length > 0,
  },
  { name: 'Unidentified', codes: ['AUTH_TOKEN_MISSING', 'AUTH_TOKEN_INVALID'], holds: isSignedIn },
  {
    name: 'Disabled',
    codes: ['AUTH_ACCOUNT_DISABLED'],
    holds: (endpoint) => isSignedIn(endpoint) && !needsPermission(endpoint),
  },
  { name: 'Forbidden', codes: ['AUTH_INSUFFICIENT_PERMISSIONS', 'AUTH_ACCOUNT_DISABLED'], holds: needsPermission },
  // The session that X-Session-ID names.
  { name: 'NoSuchSession', codes: ['RESOURCE_NOT_FOUND'], holds: isSignedIn },
  { name: 'KeyInUse', codes: ['IDEMPOTENCY_KEY_IN_USE', 'RESOURCE_CONFLICT'], holds: takesIdempotencyKey },
  { name: 'TooLarge', codes: ['REQUEST_TOO_LARGE'], holds: hasBody },
  { name: 'UnsupportedMediaType', codes: ['UNSUPPORTED_MEDIA_TYPE'], holds: hasBody },
  { name: 'Invalid', codes: invalid, holds: (endpoint) => !takesIdempotencyKey(endpoint) },
  { name: 'InvalidOrKeyReused', codes: [...invalid, 'IDEMPOTENCY_KEY_REUSED'], holds: takesIdempotencyKey },
  { name: 'TooManyRequests', codes: ['RATE_LIMIT_EXCEEDED'], holds: () => true },
  { name: 'Fault', codes: ['INTERNAL_SERVER_ERROR', 'DATABASE_ERROR'], holds: () => true },
  { name: 'NoAnswerInTime', codes: ['UPSTREAM_ERROR'], holds: () => true },
  { name: 'Unavailable', codes: unavailable, holds: (endpoint) => !isStoppedByMaintenance(endpoint) },
  { name: 'UnavailableForWrites', codes: [...unavailable, 'SYSTEM_MAINTENANCE'], holds: isStoppedByMaintenance },
];

/** The errors of an endpoint with one status. */
export interface ErrorsOfStatus {
  status: number;
  codes: readonly ErrorCode[];
  /** The shared answer that tells exactly these codes. */
  cause?: Cause;
}

/** Every error that an endpoint can answer, by status in ascending order. */
export function errorsOf(endpoint: Endpoint): ErrorsOfStatus[] {
  const holding = causes.filter((cause) => cause.holds(endpoint));
  const all = new Set([...endpoint.errors, ...holding.flatMap(({ codes }) => codes)]);
  return [...Map.groupBy(all, (code) => errorKinds[code].http)]
    .toSorted(([a], [b]) => a - b)
    .map(([status, codes]) => {
      const cause = holding.find((each) => codes.length === each.codes.length && each.codes.every(isIn(codes)));
      return { status, codes, ...(cause && { cause }) };
    });
}

function isIn(codes: readonly ErrorCode[]): (code: ErrorCode) => boolean {
  return (code) => codes.includes(code);
}

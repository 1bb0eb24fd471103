import { PlatformError } from '@claude-cli/shared/errors';
import type { Logger } from '@claude-cli/shared/logger';
import type { ErrorRequestHandler } from 'express';
import { requestIdOf } from './admission.ts';
import { errorReply, sendReply } from './reply.ts';

/** Our error for what express, its body parser or passport throws: they tell by `status` and `type`. */
function errorFrom(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError || !(thrown instanceof Error)) return PlatformError.from(thrown);
  if (thrown.name === 'AuthenticationError') {
    return new PlatformError('AUTH_TOKEN_INVALID', 'The token is invalid or expired', {}, thrown);
  }
  const { status, type, limit } = thrown as Error & { status?: unknown; type?: unknown; limit?: unknown };
  if (type === 'entity.too.large') {
    return new PlatformError('REQUEST_TOO_LARGE', `The request body exceeds ${limit} bytes`, { limit }, thrown);
  }
  if (status === 415) return unsupportedMediaType('The encoding of the body is not supported', thrown);
  if (status === 400) return new PlatformError('REQUEST_MALFORMED', 'The request cannot be read', {}, thrown);
  return PlatformError.from(thrown);
}

/** The error for a body that is not what we read. */
export function unsupportedMediaType(message: string, cause?: unknown): PlatformError {
  return new PlatformError('UNSUPPORTED_MEDIA_TYPE', message, { expected: 'application/json' }, cause);
}

/** Answers everything that was thrown in the envelope. */
export function errorHandler(log: Logger): ErrorRequestHandler {
  return (thrown, _request, response, _next) => {
    sendReply(response, errorReply(log, errorFrom(thrown), requestIdOf(response)));
  };
}

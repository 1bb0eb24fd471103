import { PlatformError } from '@claude-cli/shared/errors';
import type { Logger } from '@claude-cli/shared/logger';
import { Metadata } from '@grpc/grpc-js';
import type { ErrorRequestHandler } from 'express';
import { errorHeaders, errorText, sendJson } from './envelope.ts';

/** Our error for what express, its body parser or passport throws: they tell by `status` and `type`. */
export function errorFrom(thrown: unknown): PlatformError {
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

/** Answers everything that was thrown in the envelope. Faults of ours get their stack into the log, once. */
export function errorHandler(log: Logger): ErrorRequestHandler {
  return (thrown, _request, response, _next) => {
    const error = errorFrom(thrown);
    const requestId: string = response.locals.requestId;
    if (error.isFault && !answeredByService(error.cause)) {
      log.error({ request_id: requestId, err: error.cause ?? error }, 'request failed');
    }
    if (response.headersSent || response.destroyed) return void response.destroy();
    for (const [name, value] of Object.entries(errorHeaders(error))) response.setHeader(name, value);
    sendJson(response, error.httpStatus, errorText(error, requestId));
  };
}

/** Whether a service behind us answered with this fault: it has logged it with its own stack. */
function answeredByService(cause: unknown): boolean {
  const metadata = cause instanceof Error && 'metadata' in cause ? cause.metadata : undefined;
  return metadata instanceof Metadata && metadata.get('platform-error-bin').length > 0;
}

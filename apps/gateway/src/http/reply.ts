import type { ServerResponse } from 'node:http';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Logger } from '@claude-cli/shared/logger';
import { Metadata } from '@grpc/grpc-js';
import { errorHeaders, errorText, sendJson } from './envelope.ts';

/** An answer that is ready to be sent. */
export interface Reply {
  status: number;
  /** The envelope, as JSON. */
  text: string;
  headers: Readonly<Record<string, string>>;
  /** The error that it tells. */
  error?: PlatformError;
}

/** The answer that tells an error. A fault of ours gets its stack into the log, once. */
export function errorReply(log: Logger, thrown: unknown, requestId: string): Reply {
  const error = PlatformError.from(thrown);
  if (error.isFault && !answeredByService(error.cause)) {
    log.error({ request_id: requestId, err: error.cause ?? error }, 'request failed');
  }
  return { status: error.httpStatus, text: errorText(error, requestId), headers: errorHeaders(error), error };
}

/** Send an answer, unless one has begun or nobody waits for it any more. */
export function sendReply(response: ServerResponse, { status, text, headers }: Reply): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  sendJson(response, status, text);
}

/** Whether a service behind us answered with this fault: it has logged it with its own stack. */
function answeredByService(cause: unknown): boolean {
  const metadata = cause instanceof Error && 'metadata' in cause ? cause.metadata : undefined;
  return metadata instanceof Metadata && metadata.get('platform-error-bin').length > 0;
}

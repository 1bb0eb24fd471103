import type { ServerResponse } from 'node:http';
import type { PlatformError } from '@claude-cli/shared/errors';

/** Content type of every answer in the envelope. */
export const jsonType = 'application/json; charset=utf-8';

/** Send JSON text. */
export function sendJson(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('Content-Type', jsonType);
  response.setHeader('Content-Length', Buffer.byteLength(text));
  response.end(text);
}

/** The error envelope. What lies behind a fault of ours stays inside. */
export function errorText(error: PlatformError, requestId: string): string {
  const details = error.isFault ? {} : error.details;
  return JSON.stringify({
    data: null,
    error: { code: error.code, message: error.message, details },
    meta: { timestamp: new Date().toISOString(), request_id: requestId },
  });
}

/** Headers that belong to an error besides those of every answer. */
export function errorHeaders(error: PlatformError): Record<string, string> {
  if (error.httpStatus === 401) return { 'WWW-Authenticate': 'Bearer' };
  if (error.code === 'METHOD_NOT_ALLOWED') return { Allow: String(error.details.allowed) };
  const passes = error.httpStatus === 429 || error.httpStatus === 503 || error.code === 'IDEMPOTENCY_KEY_IN_USE';
  if (passes) return { 'Retry-After': String(secondsUntilRetry(error)) };
  return {};
}

function secondsUntilRetry({ details }: PlatformError): number {
  const at = Date.parse(String(details.reset_at ?? details.retry_at));
  return Number.isNaN(at) ? 1 : Math.max(1, Math.ceil((at - Date.now()) / 1000));
}

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
  if (error.httpStatus === 429 || error.httpStatus === 503) return { 'Retry-After': String(secondsUntilRetry(error)) };
  return {};
}

function secondsUntilRetry({ details }: PlatformError): number {
  const reset = typeof details.reset_at === 'string' ? Date.parse(details.reset_at) : Number.NaN;
  return Number.isNaN(reset) ? 1 : Math.max(1, Math.ceil((reset - Date.now()) / 1000));
}

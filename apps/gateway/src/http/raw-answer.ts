import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { PlatformError } from '@claude-cli/shared/errors';
import { errorHeaders, errorText, jsonType } from './envelope.ts';

/** Answer an error on a socket that has no response object, and close it. */
export function answerRaw(socket: Duplex, error: PlatformError, requestId: string, status = error.httpStatus): void {
  if (!socket.writable) return void socket.destroy();
  const text = errorText(error, requestId);
  const lines = Object.entries(headersOf(error, requestId, text)).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`, () => socket.destroy());
}

/** Answer an error to a request before anybody looks at it, and close its connection. */
export function turnAway(response: ServerResponse, error: PlatformError, requestId: string): void {
  const text = errorText(error, requestId);
  response.writeHead(error.httpStatus, headersOf(error, requestId, text)).end(text);
}

function headersOf(error: PlatformError, requestId: string, text: string): Record<string, string | number> {
  return {
    ...errorHeaders(error),
    'X-Request-ID': requestId,
    'Content-Type': jsonType,
    'Content-Length': Buffer.byteLength(text),
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    Connection: 'close',
  };
}

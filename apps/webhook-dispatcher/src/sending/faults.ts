import { AddressRefused } from './connect.ts';
import type { Fault } from './outcome.ts';

/** Codes of Node, c-ares and undici, by what they mean to the owner of a webhook. */
const known: Readonly<Record<string, { fault: Fault; text: string }>> = {
  ENOTFOUND: { fault: 'name', text: 'the host is not known' },
  ENODATA: { fault: 'name', text: 'the host has no address' },
  EAI_AGAIN: { fault: 'name', text: 'the name server did not answer' },
  ESERVFAIL: { fault: 'name', text: 'the name server failed' },
  ETIMEOUT: { fault: 'name', text: 'the name server did not answer' },
  ECONNREFUSED: { fault: 'connection', text: 'the connection was refused' },
  ECONNRESET: { fault: 'connection', text: 'the connection was cut' },
  EPIPE: { fault: 'connection', text: 'the connection was cut' },
  EHOSTUNREACH: { fault: 'connection', text: 'the host cannot be reached' },
  ENETUNREACH: { fault: 'connection', text: 'the host cannot be reached' },
  EADDRNOTAVAIL: { fault: 'connection', text: 'the host cannot be reached' },
  ETIMEDOUT: { fault: 'timeout', text: 'no connection in time' },
  UND_ERR_CONNECT_TIMEOUT: { fault: 'timeout', text: 'no connection in time' },
  UND_ERR_SOCKET: { fault: 'connection', text: 'the connection was cut' },
  UND_ERR_HEADERS_OVERFLOW: { fault: 'protocol', text: 'the headers of the answer are too long' },
  UND_ERR_INVALID_ARG: { fault: 'protocol', text: 'the request cannot be sent with these headers' },
};

/** What OpenSSL and Node call a certificate that does not hold. */
const certificate = /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|EPROTO)/;

/**
 * What went wrong, for the owner of a webhook, who is not to learn to which addresses names lead here. Messages of Node
 * name them, so none is passed on.
 */
export function describeFault(error: Error): { fault: Fault; text: string } {
  if (error instanceof AddressRefused) return { fault: 'refused', text: error.message };
  const code = codeOf(error);
  const found = Object.hasOwn(known, code) ? known[code] : undefined;
  if (found) return found;
  if (certificate.test(code)) return { fault: 'certificate', text: `the TLS certificate or handshake failed: ${code}` };
  if (error.name === 'HTTPParserError') return { fault: 'protocol', text: 'the answer is not HTTP' };
  return { fault: 'connection', text: 'the connection failed' };
}

/** The code of an error; of several attempts to connect, that of the first. */
function codeOf(error: Error): string {
  const first = error instanceof AggregateError && !('code' in error && error.code) ? error.errors[0] : error;
  return String((first as { code?: unknown }).code ?? '');
}

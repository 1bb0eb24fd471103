import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { PlatformError } from '@claude-cli/shared/errors';

// A name or an IPv4 address as RFC 3986 writes them, or something in brackets; then perhaps a port.
const authority = /^(?:\[([\da-f:.]+)\]|(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})+)(?::\d{0,5})?$/i;

/**
 * What is wrong with the Host of a request (RFC 9112, 3.2); undefined when nothing is. We do not look at it, but what stands in
 * front of us or behind may, and with two of them each could take another one. HTTP/1.0 may do without.
 */
export function hostFaultOf({ rawHeaders, httpVersion }: IncomingMessage): PlatformError | undefined {
  const hosts = rawHeaders.filter((_, place) => place % 2 === 1 && rawHeaders[place - 1]?.toLowerCase() === 'host');
  const [host] = hosts;
  if (hosts.length > 1) return malformed('The request names more than one host');
  if (host === undefined) return httpVersion === '1.0' ? undefined : malformed('The request names no host');
  const [, address] = authority.exec(host) ?? [undefined, ''];
  return address === undefined || isIPv6(address) ? undefined : malformed('The host of the request is none');
}

function malformed(message: string): PlatformError {
  return new PlatformError('REQUEST_MALFORMED', message);
}

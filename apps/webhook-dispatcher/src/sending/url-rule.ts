import { isIP } from 'node:net';
import type { AddressRule } from './addresses.ts';

/** From which port to which, both included. */
export type PortRange = readonly [number, number];

/** What a URL is checked by. */
export interface UrlRules {
  allows: AddressRule;
  ports: readonly PortRange[];
}

/**
 * Ports above 1023 that belong to other protocols, in which a request could mean something: those that browsers refuse
 * (WHATWG Fetch, "bad port").
 */
const otherProtocols: ReadonlySet<number> = new Set([
  1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/** Ports and ranges of ports, comma-separated, as WEBHOOK_PORTS names them. */
export function parsePorts(text: string): PortRange[] {
  return text.split(',').map((range): PortRange => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return [from, to];
  });
}

/**
 * Why nothing is sent to a URL: a sentence without the URL, whose path and query may be secret; undefined when it may be
 * sent to. An address in it, in whatever notation, is checked here; what a name means is checked when connecting.
 */
export function refusalOf(text: string, { allows, ports }: UrlRules): string | undefined {
  if (!URL.canParse(text)) return 'must be an absolute URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must start with https:// or http://';
  if (url.username !== '' || url.password !== '') return 'must not carry a user name or a password';
  const port = Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
  const isInRange = ports.some(([from, to]) => from <= port && port <= to);
  if (!isInRange || otherProtocols.has(port)) return `must not name port ${port}`;
  const host = hostOf(url);
  const isForbidden = isIP(host) ? !allows(host) : isLocalName(host) && !allows('127.0.0.1');
  return isForbidden ? 'must not name an address that is not public' : undefined;
}

/** The host of a URL as a resolver takes it: an IPv6 address without its brackets, a name without the last dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

/** Names that never leave a machine, whatever the DNS would say. */
export function isLocalName(host: string): boolean {
  return /(^|\.)localhost\.?$/i.test(host);
}

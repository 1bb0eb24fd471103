import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import type { AddressRule } from './addresses.ts';
import type { Resolve } from './resolve.ts';

/** A host is, or has only, addresses that may not be connected to. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

/** What connections are made by. */
export interface ConnectRules {
  resolve: Resolve;
  allows: AddressRule;
  timeoutMs: number;
  /** Certificates that are trusted besides the usual ones, PEM. */
  ca?: string | undefined;
}

/**
 * A connector that connects to addresses which were checked, and to no others: names are resolved here, once, so a name
 * server that answers otherwise the next time changes nothing.
 */
export function guardedConnector({ resolve, allows, timeoutMs, ca }: ConnectRules): buildConnector.connector {
  const lookup: LookupFunction = (name, options, callback) => {
    const found = resolve(name).then((addresses) => {
      const allowed = addresses
        .filter((address) => allows(address))
        .map((address) => ({ address, family: isIP(address) }))
        .filter(({ family }) => !options.family || family === options.family);
      if (!allowed[0]) throw new AddressRefused('the host has no address that may be connected to');
      return { all: allowed, first: allowed[0] };
    });
    found.then(
      ({ all, first }) => (options.all ? callback(null, all) : callback(null, first.address, first.family)),
      (error) => callback(error, ''),
    );
  };
  const connect = buildConnector({ lookup, timeout: timeoutMs, allowH2: false, ...(ca ? { ca } : {}) });
  return (options, callback) => {
    if (isIP(options.hostname) && !allows(options.hostname)) {
      callback(new AddressRefused('the host is an address that may not be connected to'), null);
    } else {
      connect(options, callback);
    }
  };
}

import { isIP, isIPv6 } from 'node:net';

/**
 * What stands for the address of a caller when requests are counted: IPv4 as it is, of IPv6 the network of 64 bits, since
 * that is what one customer is given and could draw any number of addresses from.
 */
export function addressKey(address: string | undefined): string {
  if (!address) return 'unknown';
  const mapped = mappedIPv4(address);
  if (mapped) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = address.replace(/%.*$/, '').split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const filled = [...groups, ...Array(Math.max(0, 8 - groups.length - after.length)).fill('0'), ...after];
  return `${filled
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

/** The address of a caller as it is kept: nothing but an address, whatever a trusted proxy passed on. */
export function keptAddress(address: string | undefined): string | undefined {
  if (!address || isIP(address) === 0) return undefined;
  // Zones of IPv6 are names of any length, and mean something on one machine alone.
  const [withoutZone] = address.split('%');
  return mappedIPv4(address) ?? withoutZone;
}

function mappedIPv4(address: string): string | undefined {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
}

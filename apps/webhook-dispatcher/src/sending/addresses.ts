import { BlockList, isIP } from 'node:net';

/** Which addresses may be connected to. */
export type AddressRule = (address: string) => boolean;

/**
 * Networks of the operator's own, which some installations deliver to: loopback, private use, shared (CGNAT), unique local.
 * A list with networks of IPv4 also holds their addresses as mapped into IPv6; hence lists of one family each.
 */
const privateNetworks = {
  ipv4: listOf(['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']),
  ipv6: listOf(['::1/128', 'fc00::/7']),
};

/** Where clouds answer a machine with its credentials. They lie in private networks, or look public. */
const metadata = {
  ipv4: listOf(['100.100.100.200/32', '168.63.129.16/32', '169.254.0.0/16', '192.0.0.192/32']),
  ipv6: listOf(['fd00:ec2::/32', 'fd20:ce::/32']),
};

/** The rest of what is no public IPv4 address, by the IANA registry of special-purpose addresses. */
const specialIPv4 = listOf([
  '0.0.0.0/8',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]);

/** What IPv6 assigns publicly. Mapped IPv4 (::ffff:0:0/96), NAT64 (64:ff9b::/96), link-local and multicast lie outside. */
const globalIPv6 = listOf(['2000::/3']);
/** In it, what is not: Teredo and other protocols, documentation, 6to4. */
const specialIPv6 = listOf(['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']);

/**
 * The rule that an installation sets: public addresses, those of private networks when it says so, and the networks that
 * it names, whatever they are.
 */
export function addressRule(allowPrivate: boolean, allowedNetworks: readonly string[] = []): AddressRule {
  const allowed = listOf(allowedNetworks);
  return (address) => {
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) return false;
    if (allowed.check(address, family)) return true;
    if (metadata[family].check(address, family)) return false;
    if (privateNetworks[family].check(address, family)) return allowPrivate;
    if (family === 'ipv4') return !specialIPv4.check(address, family);
    return globalIPv6.check(address, family) && !specialIPv6.check(address, family);
  };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix = ''] = network.split('/');
    list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}

import { describe, expect, test } from '@jest/globals';
import { addressRule } from './addresses.ts';

const publicOnly = addressRule(false);
const withPrivate = addressRule(true);

const privates = [
  ['loopback', '127.0.0.1'],
  ['loopback, elsewhere in its network', '127.255.0.9'],
  ['private use', '10.0.0.1'],
  ['private use', '172.31.255.255'],
  ['private use', '192.168.1.1'],
  ['shared by carriers', '100.64.0.1'],
  ['IPv6 loopback', '::1'],
  ['unique local', 'fd12:3456::1'],
];
const never = [
  ['unspecified', '0.0.0.0'],
  ['"this" network', '0.1.2.3'],
  ['link-local, with the metadata of clouds', '169.254.169.254'],
  ['metadata in the shared network', '100.100.100.200'],
  ['metadata with a public address', '168.63.129.16'],
  ['metadata by IPv6', 'fd00:ec2::254'],
  ['protocol assignments', '192.0.0.170'],
  ['documentation', '192.0.2.1'],
  ['documentation', '198.51.100.7'],
  ['documentation', '203.0.113.7'],
  ['6to4 relay', '192.88.99.1'],
  ['benchmarks', '198.19.0.1'],
  ['multicast', '224.0.0.1'],
  ['reserved', '240.0.0.1'],
  ['broadcast', '255.255.255.255'],
  ['IPv6 unspecified', '::'],
  ['mapped loopback', '::ffff:127.0.0.1'],
  ['mapped, in hexadecimal', '::ffff:7f00:1'],
  ['mapped, written out', '0:0:0:0:0:ffff:a00:1'],
  ['mapped public address', '::ffff:93.184.216.34'],
  ['IPv4-compatible', '::127.0.0.1'],
  ['NAT64', '64:ff9b::a9fe:a9fe'],
  ['NAT64 of one network', '64:ff9b:1::1'],
  ['Teredo', '2001:0:53aa:64c::1'],
  ['6to4', '2002:7f00:1::1'],
  ['IPv6 documentation', '2001:db8::1'],
  ['IPv6 documentation', '3fff::1'],
  ['IPv6 link-local', 'fe80::1'],
  ['site-local', 'fec0::1'],
  ['IPv6 multicast', 'ff02::1'],
  ['discard only', '100::1'],
  ['no address', 'localhost'],
  ['no address', ''],
];

describe('addresses that webhooks may lead to', () => {
  test.each(['93.184.216.34', '8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:2800:220:1::1', '2a00:1450::1'])(
    'public: %s',
    (address) => {
      expect(publicOnly(address)).toBe(true);
    },
  );

  test.each(privates)('not without being allowed: %s, %s', (_what, address) => {
    expect(publicOnly(address)).toBe(false);
    expect(withPrivate(address)).toBe(true);
  });

  test.each(never)('not even where private networks are allowed: %s, %s', (_what, address) => {
    expect(publicOnly(address)).toBe(false);
    expect(withPrivate(address)).toBe(false);
  });

  test('a network that the operator names is allowed, whatever it is, and no other', () => {
    const named = addressRule(false, ['10.1.0.0/16', 'fd00:1::/64', '169.254.10.0/24']);
    for (const address of ['10.1.2.3', 'fd00:1::5', '169.254.10.1']) expect(named(address)).toBe(true);
    for (const address of ['10.2.0.1', 'fd00:2::5', '169.254.169.254', '127.0.0.1']) expect(named(address)).toBe(false);
    expect(named('93.184.216.34')).toBe(true);
  });
});

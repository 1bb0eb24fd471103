import { expect, test } from '@jest/globals';
import { addressKey, keptAddress } from './client-address.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:1:2::9', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  [undefined, 'unknown'],
])('requests from %s count for %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});

test('what is kept of a caller is an address or nothing', () => {
  expect(keptAddress('203.0.113.7')).toBe('203.0.113.7');
  expect(keptAddress('::ffff:203.0.113.7')).toBe('203.0.113.7');
  expect(keptAddress('2001:db8::1')).toBe('2001:db8::1');
  expect(keptAddress(`fe80::1%${'x'.repeat(10_000)}`)).toBe('fe80::1');
  for (const other of [
    undefined,
    '',
    'unknown',
    '_hidden',
    '203.0.113.7:4711',
    'x'.repeat(10_000),
    '1.2.3.4, 5.6.7.8',
  ]) {
    expect(keptAddress(other)).toBeUndefined();
  }
});

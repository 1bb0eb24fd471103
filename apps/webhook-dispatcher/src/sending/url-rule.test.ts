import { describe, expect, test } from '@jest/globals';
import { addressRule } from './addresses.ts';
import { parsePorts, refusalOf } from './url-rule.ts';

const ports = parsePorts('80, 443,1024-65535');
const rules = { allows: addressRule(false), ports };

describe('a URL of a webhook', () => {
  test.each([
    'https://example.com/hook?key=1',
    'http://example.com:8080/',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1::1]:8443/',
    'https://bücher.example/',
  ])('is taken: %s', (url) => {
    expect(refusalOf(url, rules)).toBeUndefined();
  });

  test.each([
    ['/hook', /absolute/],
    ['', /absolute/],
    ['http://', /absolute/],
    ['ftp://example.com/', /must start with/],
    ['file:///etc/passwd', /must start with/],
    ['javascript:alert(1)', /must start with/],
    ['gopher://example.com:6379/', /must start with/],
    ['https://user:password@example.com/', /user name/],
    ['https://user@example.com/', /user name/],
    ['http://example.com:22/', /port 22/],
    ['http://example.com:25/', /port 25/],
    ['http://example.com:6667/', /port 6667/],
    ['http://127.0.0.1/', /not public/],
    ['http://2130706433/', /not public/],
    ['http://0x7f000001/', /not public/],
    ['http://0177.0.0.1/', /not public/],
    ['http://127.1/', /not public/],
    ['http://127.0.0.1./', /not public/],
    ['http://①②⑦.0.0.1/', /not public/],
    ['http://[::1]/', /not public/],
    ['http://[::ffff:10.0.0.1]/', /not public/],
    ['http://[::ffff:a00:1]/', /not public/],
    ['http://[64:ff9b::7f00:1]/', /not public/],
    ['http://169.254.169.254/latest/meta-data/', /not public/],
    ['http://localhost:8080/', /not public/],
    ['http://LOCALHOST./', /not public/],
    ['http://api.localhost/', /not public/],
  ])('is refused: %s', (url, why) => {
    expect(refusalOf(url, rules)).toMatch(why);
  });

  test('is not repeated in the refusal, since it may be secret', () => {
    expect(refusalOf('https://user:hunter2@example.com/?key=hunter2', rules)).not.toContain('hunter2');
  });

  test('may lead to this machine where private networks are allowed, and to other ports where those are', () => {
    const lenient = { allows: addressRule(true), ports: [[25, 25]] as const };
    expect(refusalOf('http://localhost:25/', lenient)).toBeUndefined();
    expect(refusalOf('http://[::1]:25/', lenient)).toBeUndefined();
    expect(refusalOf('http://localhost/', lenient)).toMatch(/port 80/);
  });
});

import { createServer } from 'node:net';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { probeAmqp } from './amqp-probe.ts';
import { formatLogLine } from './log-lines.ts';
import { withDatabase } from './store.ts';

describe('a log line', () => {
  const show = (line: string) => stripVTControlCharacters(formatLogLine('gateway', line));

  test('of pino is shown for people', () => {
    const entry = { level: 30, time: Date.now(), service: 'gateway', msg: 'listening', port: 8000, note: 'two words' };
    expect(show(JSON.stringify(entry))).toMatch(/^\d\d:\d\d:\d\d gateway +listening port=8000 note="two words"$/);
  });

  test('with an error shows its stack', () => {
    const entry = { level: 50, time: Date.now(), msg: 'failed', err: { message: 'x', stack: 'Error: x\n    at y' } };
    expect(show(JSON.stringify(entry))).toMatch(/failed err=\nError: x\n {4}at y$/);
  });

  test.each(['plain text', '{"broken": ', '{"no":"level"}', '[]'])('that is not pino is shown as it is: %s', (line) => {
    expect(show(line)).toMatch(/^\d\d:\d\d:\d\d gateway /);
    expect(show(line).endsWith(line)).toBe(true);
  });
});

describe('the database of an address', () => {
  test.each([
    ['mongodb://h', 'mongodb://h/claude_cli'],
    ['mongodb://h/', 'mongodb://h/claude_cli'],
    ['mongodb://h/?replicaSet=rs0', 'mongodb://h/claude_cli?replicaSet=rs0'],
    ['mongodb://h?replicaSet=rs0', 'mongodb://h/claude_cli?replicaSet=rs0'],
    ['mongodb://u:p@a:1,b:2/named?x=y', 'mongodb://u:p@a:1,b:2/named?x=y'],
    ['mongodb+srv://u:p@h/named?x=y', 'mongodb+srv://u:p@h/named?x=y'],
  ])('%s is %s', (uri, expected) => expect(withDatabase(uri)).toBe(expected));
});

describe('the broker probe', () => {
  test('finds the broker of the tests ready, and its password checked', async () => {
    const url = process.env.AMQP_URL ?? '';
    expect(await probeAmqp(url)).toBe('ready');
    const wrong = new URL(url);
    wrong.password = 'wrong';
    expect(await probeAmqp(wrong.href)).toBe('login-refused');
  });

  test('tells a port on which nobody listens from one that speaks something else, or nothing', async () => {
    expect(await probeAmqp('amqp://127.0.0.1:1')).toBe('refused');
    for (const greeting of ['HTTP/1.1 400 Bad Request\r\n\r\n', '']) {
      const server = createServer((socket) => socket.on('error', () => {}).write(greeting));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      expect(await probeAmqp(`amqp://127.0.0.1:${port}`, 500)).toBe('not-amqp');
      server.close();
    }
  });
});

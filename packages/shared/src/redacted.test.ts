import { expect, test } from '@jest/globals';
import { createLogger } from './logger.ts';

/** What a logger writes about something. */
function written(about: object, message = 'told'): string {
  const lines: string[] = [];
  createLogger('test', 'info', { write: (line) => void lines.push(line) }).info(about, message);
  const [line = ''] = lines;
  // It is still what programs can read.
  JSON.parse(line);
  return line;
}

const marked = 'MARKED-s3cret+value/=';

test.each([
  'authorization',
  'Authorization',
  'cookie',
  'set-cookie',
  'password',
  'new_password',
  'token',
  'refresh_token',
  'secret',
  'api_key',
  'x-api-key',
])('the value of %s is never logged, however deep it is', (name) => {
  const line = written({ a: { b: { c: { d: [{ [name]: marked }] } } }, [name]: `${marked}"quoted\\` });
  expect(line).not.toContain('MARKED');
  expect(line).toContain('[redacted]');
});

test('lists and numbers under the name of a secret are not logged', () => {
  expect(written({ secrets: [marked, marked], token: 123_456 })).not.toMatch(/MARKED|123456/);
});

test('JSON in texts is read as well, and stays readable', () => {
  const body = JSON.stringify({ password: marked, kept: 'this' });
  const line = written({ body, deeper: JSON.stringify({ body }) });
  expect(line).not.toContain('MARKED');
  expect(line).toContain('this');
});

test.each([
  'amqp://user:MARKED@broker:5672/vhost',
  'redis://:MARKED@cache',
  'mongodb+srv://me:MARKED@db/x?retryWrites=true',
  'https://host/ws?token=MARKED&more=1',
  'Bearer MARKED.token.value',
  'Basic MARKEDMARKED==',
  'eyJhbGciOiJIUzI1NiJ9.MARKEDeyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl',
  'whsec_MARKEDabcdefgh',
  'ccp_MARKEDabcdefgh',
])('%s loses its secret in messages and errors', (text) => {
  const line = written({ err: new Error(`cannot reach ${text}`), at: text }, `failed: ${text}`);
  expect(line).not.toContain('MARKED');
});

test('what is no secret is logged as it is', () => {
  const about = { token_version: 3, url: 'https://host:8080/path?page=1', code: 'AUTH_TOKEN_EXPIRED', at: 'user@host' };
  expect(JSON.parse(written(about))).toMatchObject(about);
});

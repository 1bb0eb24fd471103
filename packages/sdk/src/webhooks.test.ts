import { createHmac } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { verifyWebhookSignature } from './webhooks.ts';

const body = '{"event":"task.completed","text":"ü"}';
const signature = `sha256=${createHmac('sha256', 'secret').update(body).digest('hex')}`;

test('a signature of the same bytes with the same secret is right', async () => {
  expect(await verifyWebhookSignature(body, signature, 'secret')).toBe(true);
  expect(await verifyWebhookSignature(Buffer.from(body), signature, 'secret')).toBe(true);
});

test.each([
  ['another body', `${body} `, signature, 'secret'],
  ['another secret', body, signature, 'other'],
  ['no secret', body, signature, ''],
  ['no signature', body, null, 'secret'],
  ['no scheme', body, signature.replace('sha256=', ''), 'secret'],
  ['a cut one', body, signature.slice(0, -2), 'secret'],
  ['a changed one', body, signature.replace(/.$/, (last) => (last === '0' ? '1' : '0')), 'secret'],
])('%s is wrong', async (_what, sent, signed, secret) => {
  expect(await verifyWebhookSignature(sent, signed, secret)).toBe(false);
});

import { createHmac, randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { signatureHeaders, signingKeys } from './sign.ts';

const body = '{"event":"task.completed","data":{"title":"Größe – 🎉"}}';
const newSecret = () => `whsec_${randomBytes(32).toString('base64')}`;
const [secret, before] = [newSecret(), newSecret()];
const signed = (secrets: string[], at = new Date()) =>
  signatureHeaders({ deliveryId: 'delivery-1', eventType: 'task.completed', body, keys: secrets.map(signingKeys), at });

describe('the signature of a delivery', () => {
  test('is the HMAC of the raw body with the secret as it was given, beside id and type', () => {
    const expected = createHmac('sha256', secret).update(Buffer.from(body)).digest('hex');
    expect(signed([secret])).toMatchObject({
      'X-Signature-256': `sha256=${expected}`,
      'X-Delivery-ID': 'delivery-1',
      'X-Event-Type': 'task.completed',
      'webhook-id': 'delivery-1',
    });
  });

  test('is verified by standardwebhooks', () => {
    expect(new Webhook(secret).verify(body, signed([secret]))).toEqual(JSON.parse(body));
  });

  test('is verified with either secret while one replaces the other', () => {
    const headers = signed([secret, before]);
    for (const each of [secret, before]) expect(new Webhook(each).verify(body, headers)).toEqual(JSON.parse(body));
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2);
    expect(headers['X-Signature-256']).toBe(signed([secret])['X-Signature-256']);
    expect(headers['X-Signature-256-Previous']).toBe(signed([before])['X-Signature-256']);
  });

  test('does not hold with another secret, for another body or at another time', () => {
    const headers = signed([secret]);
    expect(() => new Webhook(before).verify(body, headers)).toThrow();
    expect(() => new Webhook(secret).verify(`${body} `, headers)).toThrow();
    expect(() => new Webhook(secret).verify(body, signed([secret], new Date(Date.now() - 600_000)))).toThrow(/too old/);
    const later = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) };
    expect(() => new Webhook(secret).verify(body, later)).toThrow();
  });
});

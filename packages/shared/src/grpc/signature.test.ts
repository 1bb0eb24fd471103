import { describe, expect, test } from '@jest/globals';
import { CallSignatures, type SignedCall } from './signature.ts';

const [secret, older] = ['the secret in use: at least 32 characters', 'an older secret: at least 32 characters'];
const signatures = new CallSignatures([secret]);
const now = 1_800_000_000_000;
const deadline = now + 5_000;
const call: SignedCall = {
  path: '/platform.v1.TaskService/GetTask',
  requestId: 'request-1',
  caller: Buffer.from('{"user_id":"ada","role":"developer"}'),
};

describe('the signature of a call', () => {
  test('is good until some time after the deadline, and not before it was made', () => {
    const signed = signatures.sign(call, deadline, now);
    const refusalAt = (time: number) => signatures.refusalOf(call, signed, time);
    expect(refusalAt(now)).toBeUndefined();
    expect(refusalAt(deadline + 30_000)).toBeUndefined();
    expect(refusalAt(deadline + 30_001)).toMatch(/expired/);
    expect(refusalAt(now - 30_000)).toBeUndefined();
    expect(refusalAt(now - 30_001)).toMatch(/future/);
  });

  test.each<[string, Partial<SignedCall>]>([
    ['another method', { path: '/platform.v1.TaskService/DeleteTask' }],
    ['another request', { requestId: 'request-2' }],
    ['another caller', { caller: Buffer.from('{"user_id":"ada","role":"admin"}') }],
    ['a request id and a caller that together read the same', { requestId: 'request-', caller: Buffer.from('1') }],
  ])('is not good for %s', (_, other) => {
    expect(signatures.refusalOf({ ...call, ...other }, signatures.sign(call, deadline, now), now)).toMatch(/wrong/);
  });

  test('is not good with times of one’s own choice', () => {
    const [id, , , mac] = signatures.sign(call, deadline, now).split('.');
    expect(signatures.refusalOf(call, `${id}.${now}.${now * 2}.${mac}`, now)).toMatch(/wrong/);
  });

  test.each(['', '.', '...', 'x.y.z.w', `${'a'.repeat(70_000)}`, '__proto__.1.2.3'])(
    'that is no signature is refused: %.20s',
    (nonsense) => {
      expect(signatures.refusalOf(call, nonsense, now)).toMatch(/unknown secret/);
    },
  );

  test('that is missing or cut short is refused', () => {
    expect(signatures.refusalOf(call, undefined, now)).toMatch(/not signed/);
    const signed = signatures.sign(call, deadline, now);
    expect(signatures.refusalOf(call, signed.slice(0, -2), now)).toMatch(/wrong/);
  });

  test('of an older secret is good while that one is configured', () => {
    const signed = new CallSignatures([older]).sign(call, deadline, now);
    expect(new CallSignatures([secret, older]).refusalOf(call, signed, now)).toBeUndefined();
    expect(signatures.refusalOf(call, signed, now)).toMatch(/unknown secret/);
    const renewed = new CallSignatures([secret, older]).sign(call, deadline, now);
    expect(signatures.refusalOf(call, renewed, now)).toBeUndefined();
  });
});

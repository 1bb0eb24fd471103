import { createHmac, createSecretKey, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { keyId } from '../tokens.ts';

/** How far the clocks of two services may be apart, and how long after its deadline a call may arrive, in milliseconds. */
const toleranceMs = 30_000;

/** What of a call is signed. */
export interface SignedCall {
  /** Full method name: a signature is good for this method alone. */
  path: string;
  requestId: string;
  /** The caller as it is sent, with the digest of the request. */
  caller: Uint8Array;
}

/**
 * Shows a service that a call comes from another one that knows the secret, and from whom that one says it comes: a pod that
 * can reach a port, but has no secret, cannot speak for anybody. Nothing is hidden, answers are not signed, and who can read a
 * call can repeat it until its signature is void; against those there is TLS.
 */
export class CallSignatures {
  readonly #own: { id: string; key: KeyObject };
  readonly #keys = new Map<string, KeyObject>();

  /** @param secrets the first one signs, all of them verify */
  constructor(secrets: readonly string[]) {
    // Derived, so that a secret that is used for something else as well makes no signature that is good there.
    for (const secret of secrets) {
      const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'calls between services', 32));
      this.#keys.set(keyId(secret), createSecretKey(bytes));
    }
    const [own] = this.#keys;
    if (!own) throw new Error('no secret to sign calls with');
    this.#own = { id: own[0], key: own[1] };
  }

  /** @param deadline when the call ends, in milliseconds since the epoch: soon after it the signature is void */
  sign(call: SignedCall, deadline: number, now = Date.now()): string {
    const { id, key } = this.#own;
    const times = `${now}.${deadline + toleranceMs}`;
    return `${id}.${times}.${mac(key, call, times).toString('base64url')}`;
  }

  /** Why a call is not to be trusted; undefined when it is. */
  refusalOf(call: SignedCall, signature: string | undefined, now = Date.now()): string | undefined {
    if (signature === undefined) return 'it is not signed';
    const [id = '', issuedAt = '', expiresAt = '', sent = ''] = signature.split('.');
    const key = this.#keys.get(id);
    if (!key) return 'it is signed with an unknown secret';
    const expected = mac(key, call, `${issuedAt}.${expiresAt}`);
    const given = Buffer.from(sent, 'base64url');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return 'its signature is wrong';
    if (now > Number(expiresAt)) return 'its signature has expired';
    if (now < Number(issuedAt) - toleranceMs) return 'its signature is of the future: the clocks differ';
    return undefined;
  }
}

function mac(key: KeyObject, { path, requestId, caller }: SignedCall, times: string): Buffer {
  // Neither a path nor metadata can hold a line break, so no two calls make one text.
  return createHmac('sha256', key).update(`${path}\n${requestId}\n${times}\n`).update(caller).digest();
}

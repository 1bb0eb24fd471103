import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** What a secret signs with. Made once, since that takes longer than signing. */
export interface SigningKeys {
  /** The secret as it is given. */
  given: KeyObject;
  /** The key that it stands for by Standard Webhooks. */
  standard: KeyObject;
}

/** What is signed: one attempt of a delivery. */
export interface Signed {
  deliveryId: string;
  eventType: string;
  /** The raw body, as it is sent. */
  body: string;
  /** Keys of the secrets that are valid now, the newest first. */
  keys: readonly SigningKeys[];
  at: Date;
}

/** How secrets begin whose rest is the key in base64, by Standard Webhooks. */
export const secretPrefix = 'whsec_';

/**
 * The headers by which a receiver knows what it got and from whom. Those of the platform sign the body with the secret as it
 * is given; after a change of the secret the one before signs, too, in a header of its own. Those of Standard Webhooks sign
 * id and time with the body, so that nothing can be replayed later, by each valid secret.
 */
export function signatureHeaders({ deliveryId, eventType, body, keys, at }: Signed): Record<string, string> {
  const [newest = '', before] = keys.map(({ given }) => `sha256=${hmac(given, body, 'hex')}`);
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const signed = `${deliveryId}.${timestamp}.${body}`;
  return {
    'X-Signature-256': newest,
    ...(before === undefined ? {} : { 'X-Signature-256-Previous': before }),
    'X-Delivery-ID': deliveryId,
    'X-Event-Type': eventType,
    'webhook-id': deliveryId,
    'webhook-timestamp': timestamp,
    'webhook-signature': keys.map(({ standard }) => `v1,${hmac(standard, signed, 'base64')}`).join(' '),
  };
}

/** The keys of a secret. */
export function signingKeys(secret: string): SigningKeys {
  const encoded = secret.startsWith(secretPrefix) ? secret.slice(secretPrefix.length) : secret;
  return {
    given: createSecretKey(Buffer.from(secret)),
    standard: createSecretKey(Buffer.from(encoded, 'base64')),
  };
}

function hmac(key: KeyObject, text: string, encoding: 'hex' | 'base64'): string {
  return createHmac('sha256', key).update(text).digest(encoding);
}

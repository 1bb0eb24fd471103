import { randomBytes } from 'node:crypto';
import type { Seal } from '@claude-cli/shared/seal';
import { secretPrefix } from '../sending/sign.ts';
import type { StoredHeader, StoredSecret, Webhook } from '../webhooks/webhook.ts';

/** Random bytes of a secret: as many as HMAC-SHA256 makes full use of. */
const secretBytes = 32;

/** How long a secret signs after it was replaced, in milliseconds. */
export const overlapMs = 24 * 3_600_000;

interface WithSeal {
  seal: Seal;
}

/** A new secret as receivers get it, in the form of Standard Webhooks. */
export function newSecret(): string {
  return secretPrefix + randomBytes(secretBytes).toString('base64');
}

/** A secret as it is stored. */
export function closeSecret({ seal }: WithSeal, secret: string, now: Date): StoredSecret {
  return { sealed: seal.close(secret), created_at: now, expires_at: null };
}

/** Headers as they are stored. */
export function closeHeaders({ seal }: WithSeal, headers: Readonly<Record<string, string>>): StoredHeader[] {
  return Object.entries(headers).map(([name, value]) => ({ name, sealed: seal.close(value) }));
}

/** The secrets that sign now, the newest first. @throws Error when the key under which one is closed is not known any more */
export function openSecrets({ seal }: WithSeal, { secrets }: Pick<Webhook, 'secrets'>, now = new Date()): string[] {
  return secrets
    .filter(({ expires_at }) => expires_at === null || expires_at > now)
    .map(({ sealed }) => open(seal, sealed));
}

/** The headers to send. @throws Error as {@link openSecrets} */
export function openHeaders({ seal }: WithSeal, { headers }: Pick<Webhook, 'headers'>): Record<string, string> {
  return Object.fromEntries(headers.map(({ name, sealed }) => [name, open(seal, sealed)]));
}

function open(seal: Seal, sealed: Buffer): string {
  const text = seal.open(bytesOf(sealed));
  if (text === undefined) throw new Error('a secret cannot be decrypted: WEBHOOK_ENCRYPTION_KEY lacks its key');
  return text;
}

/** What is read without mongoose's documents comes as the driver's Binary. */
function bytesOf(sealed: Buffer | { buffer: Uint8Array }): Uint8Array {
  return sealed instanceof Uint8Array ? sealed : sealed.buffer;
}

/**
 * The key_id of a webhook of which a part is closed anew: its own only if all of it is closed under the same key still, else
 * one that is no key's, so that all of it is closed again under one key.
 */
export function keyIdAfter({ seal }: WithSeal, { key_id }: Pick<Webhook, 'key_id'>): string {
  return key_id === seal.keyId ? key_id : '';
}

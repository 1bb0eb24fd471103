import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** Encrypts texts that are kept elsewhere, since they may hold secrets. */
export interface Seal {
  close(text: string): Buffer;
  /** The text; undefined when it was closed under a secret that is not known any more, or was changed. */
  open(sealed: Uint8Array): string | undefined;
}

/** A seal under keys derived from secrets: the first one closes, all of them open. */
export function sealUnder(secrets: readonly string[]): Seal {
  const keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', 'kept answers', 32)));
  const [own] = keys;
  if (!own) throw new Error('no secret to seal with');
  return {
    close: (text) => {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, own, nonce);
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
    },
    open: (sealed) => {
      for (const key of keys) {
        const text = openUnder(key, Buffer.from(sealed));
        if (text !== undefined) return text;
      }
      return undefined;
    },
  };
}

function openUnder(key: Buffer, sealed: Buffer): string | undefined {
  try {
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes));
    decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes));
    const text = decipher.update(sealed.subarray(nonceBytes + tagBytes));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

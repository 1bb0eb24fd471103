import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;
const keyIdLength = 16;

/** Encrypts texts that are kept elsewhere, since they may hold secrets. */
export interface Seal {
  /** Tells under which key {@link close} works: another one means that the first secret is another. */
  keyId: string;
  close(text: string): Buffer;
  /** The text; undefined when it was closed under a secret that is not known any more, or was changed. */
  open(sealed: Uint8Array): string | undefined;
}

/**
 * A seal under keys derived from secrets: the first one closes, all of them open.
 * @param purpose what is sealed: texts of one purpose cannot be opened for another
 */
export function sealUnder(secrets: readonly string[], purpose: string): Seal {
  const keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', purpose, keyBytes)));
  const [own] = keys;
  if (!own) throw new Error('no secret to seal with');
  return {
    keyId: createHash('sha256').update(own).digest('hex').slice(0, keyIdLength),
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

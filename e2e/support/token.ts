import { createHash, createHmac, randomUUID } from 'node:crypto';

/** What a forged token says. */
export interface TokenOptions {
  userId?: string;
  role?: string;
  /** Seconds until it expires; negative for one that has. */
  expiresIn?: number;
}

/** A token as the platform signs them, for a caller without an account of that role. */
export function forgeToken(secret: string, options: TokenOptions = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: 'HS256', typ: 'JWT', kid: createHash('sha256').update(secret).digest('hex').slice(0, 8) };
  const claims = {
    sub: options.userId ?? randomUUID(),
    username: 'somebody',
    role: options.role ?? 'developer',
    jti: randomUUID(),
    iat: now,
    exp: now + (options.expiresIn ?? 600),
  };
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

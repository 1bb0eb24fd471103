import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { type Caller, permissionsOf, type Role } from './caller.ts';
import { PlatformError } from './errors.ts';
import { newId } from './ids.ts';

/** Starts every API key, which tells keys and tokens apart where both are accepted. */
export const apiKeyPrefix = 'ccp_';

/** What a token says. */
export interface TokenClaims {
  /** Id of the user. */
  sub: string;
  username: string;
  role: Role;
  /** Id of the token. */
  jti: string;
  /** Version of the account's tokens: one with another version than the account has now is revoked. Absent means 0. */
  ver?: number;
  iat: number;
  exp: number;
}

/** Name of a secret that may be shown: the first 8 hexadecimal digits of its SHA-256. Names the key in a token's header. */
export function keyId(secret: string): string {
  return createHash('sha256').update(secret).digest('hex').slice(0, 8);
}

const knownKeys = new WeakMap<readonly string[], ReadonlyMap<string, KeyObject>>();

/** Keys by their ids, made once per list of secrets: from a text, jsonwebtoken would make a new key for each token. */
export function keysOf(secrets: readonly string[]): ReadonlyMap<string, KeyObject> {
  const known = knownKeys.get(secrets);
  if (known) return known;
  const keys = new Map(secrets.map((secret) => [keyId(secret), createSecretKey(secret, 'utf8')]));
  knownKeys.set(secrets, keys);
  return keys;
}

/** A JWT (HS256) for a user, signed with the first of the secrets. */
export function signToken(
  secrets: readonly string[],
  user: { id: string; username: string; role: Role; tokenVersion?: number },
  expiresInSeconds: number,
): string {
  const secret = secrets[0];
  if (!secret) throw new Error('no secret to sign tokens with');
  return jwt.sign({ username: user.username, role: user.role, ver: user.tokenVersion ?? 0 }, secret, {
    algorithm: 'HS256',
    keyid: keyId(secret),
    subject: user.id,
    jwtid: newId(),
    expiresIn: expiresInSeconds,
  });
}

/** The caller that a token's claims stand for. */
export function callerOf(claims: Pick<TokenClaims, 'sub' | 'role'>, sessionId?: string): Caller {
  const caller = { user_id: claims.sub, role: claims.role, permissions: permissionsOf[claims.role] };
  return sessionId === undefined ? caller : { ...caller, session_id: sessionId };
}

/** The claims of a token. @throws PlatformError AUTH_TOKEN_INVALID for anything but a token that we signed and that is not expired */
export function verifyToken(secrets: readonly string[], token: string): TokenClaims {
  try {
    const key = keysOf(secrets).get(jwt.decode(token, { complete: true })?.header.kid ?? '');
    if (!key) throw new Error('unknown key');
    const claims = jwt.verify(token, key, { algorithms: ['HS256'] }) as unknown as TokenClaims;
    if (!Object.hasOwn(permissionsOf, claims.role)) throw new Error('unknown role');
    return claims;
  } catch (cause) {
    throw new PlatformError('AUTH_TOKEN_INVALID', 'The token is invalid or expired', {}, cause);
  }
}

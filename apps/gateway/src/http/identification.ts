import type { KeyObject } from 'node:crypto';
import type { Accounts, Identity } from '@claude-cli/shared/accounts';
import { permissionsOf } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import { apiKeyPrefix, keysOf, type TokenClaims } from '@claude-cli/shared/tokens';
import type { Request, Response } from 'express';
import passport from 'passport';
import { Strategy } from 'passport-jwt';
import { keptAddress } from '../limits/client-address.ts';

/** Longest token that is looked at. Ours are below 500 characters. */
const maxTokenLength = 8_192;

/** Finds out who sent a request. @throws PlatformError AUTH_TOKEN_MISSING, AUTH_TOKEN_INVALID, AUTH_ACCOUNT_DISABLED, SERVICE_UNAVAILABLE */
export type Identify = (request: Request, response: Response) => Promise<Identity>;

/** Identification by bearer tokens: JWTs signed with one of the secrets, and API keys. */
export function createIdentification(secrets: readonly string[], accounts: Accounts): Identify {
  const claimsOf = jwtReader(secrets);
  return async (request, response) => {
    if (request.headers.authorization === undefined) {
      throw new PlatformError('AUTH_TOKEN_MISSING', 'The Authorization header is missing');
    }
    const requestId: string = response.locals.requestId;
    const token = bearerToken(request);
    if (token?.startsWith(apiKeyPrefix)) return accounts.ofApiKey(token, requestId, keptAddress(request.ip));
    return accounts.ofToken(await claimsOf(request, response), requestId);
  };
}

function jwtReader(secrets: readonly string[]): (request: Request, response: Response) => Promise<TokenClaims> {
  const keys: ReadonlyMap<unknown, KeyObject> = keysOf(secrets);
  const authenticator = new passport.Passport();
  authenticator.use(
    new Strategy(
      {
        jwtFromRequest: bearerToken,
        algorithms: ['HS256'],
        secretOrKeyProvider: (_request: unknown, token: string, done) => {
          const key = keys.get(keyIdOf(token));
          // The types know texts only; jsonwebtoken takes keys as well.
          done(key ? null : new Error('unknown key'), key as unknown as Buffer);
        },
      },
      (claims: TokenClaims, done) => done(null, areOurs(claims) && claims),
    ),
  );
  return (request, response) =>
    new Promise((resolve, reject) => {
      const read = authenticator.authenticate('jwt', { session: false }, (error: unknown, claims: unknown) => {
        if (claims) resolve(claims as TokenClaims);
        else reject(new PlatformError('AUTH_TOKEN_INVALID', 'The token is invalid or expired', {}, error ?? undefined));
      });
      read(request, response, reject);
    });
}

// Not passport-jwt's own extractor: its pattern takes quadratic time on a long header without blanks.
function bearerToken({ headers }: { headers: { authorization?: string | undefined } }): string | null {
  const header = headers.authorization ?? '';
  if (header.length > maxTokenLength || header.slice(0, 7).toLowerCase() !== 'bearer ') return null;
  return header.slice(7).trim() || null;
}

function keyIdOf(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()).kid;
  } catch {
    return undefined;
  }
}

function areOurs({ sub, jti, role }: TokenClaims): boolean {
  return typeof sub === 'string' && sub !== '' && typeof jti === 'string' && Object.hasOwn(permissionsOf, role);
}

import type { KeyObject } from 'node:crypto';
import { anonymous, type Caller, permissionsOf } from '@claude-cli/shared/caller';
import { PlatformError } from '@claude-cli/shared/errors';
import { isId } from '@claude-cli/shared/ids';
import { callerOf, keysOf, type TokenClaims } from '@claude-cli/shared/tokens';
import type { Request, RequestHandler } from 'express';
import passport from 'passport';
import { Strategy } from 'passport-jwt';
import type { Access } from '../contract/endpoints.ts';
import { invalid } from '../contract/validator.ts';

/** Longest token that is looked at. Ours are below 500 characters. */
const maxTokenLength = 8_192;

/** Makes the middleware that admits callers of an access level. */
export type Authenticate = (access: Access) => RequestHandler[];

/** Authentication by JWT bearer tokens signed with one of the secrets. */
export function createAuthentication(secrets: readonly string[]): Authenticate {
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
      (claims: TokenClaims, done) => done(null, isCaller(claims) && callerOf(claims)),
    ),
  );
  const identify: RequestHandler = authenticator.authenticate('jwt', {
    session: false,
    authInfo: false,
    failWithError: true,
  });
  return (access) => (access === 'everyone' ? [] : [requireToken, identify, admit(access)]);
}

/** Who sent a request; anonymous where everyone may. */
export function callerFrom(request: Request): Caller {
  return (request.user as Caller | undefined) ?? anonymous;
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

function isCaller({ sub, role }: TokenClaims): boolean {
  return typeof sub === 'string' && sub !== '' && Object.hasOwn(permissionsOf, role);
}

const requireToken: RequestHandler = (request, _response, next) => {
  if (request.headers.authorization === undefined) {
    throw new PlatformError('AUTH_TOKEN_MISSING', 'The Authorization header is missing');
  }
  next();
};

function admit(access: Exclude<Access, 'everyone'>): RequestHandler {
  return (request, _response, next) => {
    const caller = callerFrom(request);
    if (access !== 'signed_in' && !caller.permissions.includes(access)) {
      throw new PlatformError('AUTH_INSUFFICIENT_PERMISSIONS', `This needs the permission ${access}`, {
        required: access,
      });
    }
    const sessionId = request.headers['x-session-id'];
    if (sessionId !== undefined) {
      if (!isId(sessionId)) throw invalid('X-Session-ID', 'must be a UUID', 'VALIDATION_INVALID_FORMAT');
      request.user = { ...caller, session_id: sessionId };
    }
    next();
  };
}

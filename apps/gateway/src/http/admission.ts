import type { Identity } from '@claude-cli/shared/accounts';
import { anonymous, type Caller, isAdmin, requirePermission } from '@claude-cli/shared/caller';
import type { Request, RequestHandler, Response } from 'express';
import type { Access } from '../contract/endpoints.ts';
import { keptAddress } from '../limits/client-address.ts';
import type { Overload } from '../limits/overload.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import type { Identify } from './identification.ts';
import type { Refusals } from './refusals.ts';

/** Makes the middleware that admits callers of an access level, within their rate limits. */
export type Admit = (access: Access) => RequestHandler;

/**
 * Admission: who comes, whether not too often, and whether that is permitted. Whoever cannot show who they are is counted by
 * address, so that guessing tokens is limited as well.
 */
export function createAdmission(identify: Identify, limits: RateLimits, overload: Overload, refusals: Refusals): Admit {
  return (access) => async (request, response, next) => {
    const identity = access === 'everyone' ? undefined : await settled(identify(request, response));
    const known = identity !== undefined && 'caller' in identity;
    await limits.take(request, response, known ? identity : undefined);
    // Health is asked for most of all when things go badly.
    if (!request.path.startsWith('/api/health')) overload.refuse();
    if (access !== 'everyone') {
      if (!known) throw identity?.refusal;
      const { caller } = identity;
      if (access === 'admin' && !isAdmin(caller)) {
        refusals.note(caller, `${request.method} ${response.locals.route}`, access, keptAddress(request.ip));
      }
      if (access !== 'signed_in') requirePermission(caller, access);
      request.user = caller;
    }
    next();
  };
}

/** Who sent a request; anonymous where everyone may. */
export function callerFrom(request: Request): Caller {
  return (request.user as Caller | undefined) ?? anonymous;
}

/** Id of a request, as its answer names it. */
export function requestIdOf(response: Response): string {
  return response.locals.requestId;
}

function settled(identity: Promise<Identity>): Promise<Identity | { refusal: unknown }> {
  return identity.catch((refusal: unknown) => ({ refusal }));
}

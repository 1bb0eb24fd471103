import type { Request, RequestHandler } from 'express';
import type { GatewayConfig } from '../config.ts';
import { answerHeaders, requestHeaders } from '../docs/headers.ts';
import type { RateLimits } from '../limits/rate-limits.ts';

/** Origins whose pages may use the API from browsers; `*` for all, undefined for none but pages of the same origin. */
export type AllowedOrigins = GatewayConfig['CORS_ORIGINS'];

const methods = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const sent = ['Authorization', 'Content-Type', ...Object.values(requestHeaders).map(({ name }) => name)].join(', ');
const exposed = Object.keys(answerHeaders).join(', ');
/** How long browsers remember what they were told, in seconds; none remembers it for longer. */
const rememberedSeconds = 7_200;

/** Whether a page of an origin, as browsers name it, may use the API. */
export function isAllowedOrigin(allowed: AllowedOrigins, origin: string): boolean {
  return allowed === '*' || (allowed?.includes(origin) ?? false);
}

/**
 * Tells browsers which pages may read what is answered (https://fetch.spec.whatwg.org/#http-cors-protocol), and answers what
 * they ask before a request. They ask without a token, so this comes before admission, with a rate limit of its own.
 */
export function cors(allowed: AllowedOrigins, limits: RateLimits): RequestHandler {
  return async (request, response, next) => {
    if (allowed === undefined) return next();
    if (allowed !== '*') response.vary('Origin');
    const { origin } = request.headers;
    if (origin === undefined || !isAllowedOrigin(allowed, origin)) return next();
    response.setHeader('Access-Control-Allow-Origin', allowed === '*' ? '*' : origin);
    if (allowed !== '*') response.setHeader('Access-Control-Allow-Credentials', 'true');
    if (!isPreflight(request)) {
      response.setHeader('Access-Control-Expose-Headers', exposed);
      return next();
    }
    await limits.takePreflight(request, response);
    response.setHeader('Access-Control-Allow-Methods', methods);
    response.setHeader('Access-Control-Allow-Headers', sent);
    response.setHeader('Access-Control-Max-Age', rememberedSeconds);
    response.status(204).end();
  };
}

function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

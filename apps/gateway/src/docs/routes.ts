import { PlatformError } from '@claude-cli/shared/errors';
import { type RequestHandler, Router } from 'express';
import type { Contract } from '../contract/contract.ts';
import type { Endpoint } from '../contract/endpoints.ts';
import { sendJson } from '../http/envelope.ts';
import { version } from '../version.ts';
import { collectionOf } from './collection.ts';
import { insomniaOf } from './insomnia.ts';
import { openapiOf } from './openapi.ts';
import { postmanOf } from './postman.ts';
import { page, pageFiles, pagePolicy } from './swagger-ui.ts';

const year = 'public, max-age=31536000, immutable';

/** The documents of the API: /openapi.json, the page /docs, and the collections below it. Everybody may read them. */
export function docsRoutes(contract: Contract, endpoints: readonly Endpoint[]): Router {
  const router = Router({ caseSensitive: true });
  const collection = collectionOf(contract, endpoints);
  const documents = {
    '/openapi.json': openapiOf(contract, endpoints, version),
    '/docs/postman_collection.json': postmanOf(collection, version),
    '/docs/insomnia_collection.json': insomniaOf(collection, version),
  };
  for (const [address, document] of Object.entries(documents)) {
    const text = JSON.stringify(document);
    serve(router, address, (_request, response) => sendJson(response, 200, text));
  }
  serve(router, '/docs', (_request, response) => {
    response.setHeader('Content-Security-Policy', pagePolicy);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    response.setHeader('Content-Length', Buffer.byteLength(page));
    response.end(page);
  });
  for (const { address, path, isImmutable } of pageFiles) {
    serve(router, address, (_request, response, next) => {
      response.setHeader('Cache-Control', isImmutable ? year : 'no-cache');
      response.sendFile(path, { cacheControl: false }, (error) => {
        if (error && !response.headersSent) next(error);
      });
    });
  }
  return router;
}

function serve(router: Router, address: string, answer: RequestHandler): void {
  const nameRoute: RequestHandler = (_request, response, next) => {
    response.locals.route = address;
    next();
  };
  router.get(address, nameRoute, answer);
  router.all(address, nameRoute, (request) => {
    throw new PlatformError('METHOD_NOT_ALLOWED', `${request.method} is not allowed here`, { allowed: 'GET, HEAD' });
  });
}

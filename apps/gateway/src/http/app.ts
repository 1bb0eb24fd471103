import { PlatformError } from '@claude-cli/shared/errors';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import helmet from 'helmet';
import type { GatewayContext } from '../context.ts';
import { shapeOf } from '../contract/endpoints.ts';
import type { RateLimits } from '../limits/rate-limits.ts';
import { type Admit, createAdmission } from './admission.ts';
import { jsonBody } from './body.ts';
import { cors } from './cors.ts';
import { errorText, sendJson } from './envelope.ts';
import { errorHandler } from './errors.ts';
import { createIdentification } from './identification.ts';
import { observe } from './metrics.ts';
import type { Operation } from './operations.ts';
import { performer } from './perform.ts';

/** The HTTP application: every operation as a route, and an answer in the envelope for everything else. */
export function createApp(ctx: GatewayContext, operations: readonly Operation[], documents: RequestHandler): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);
  app.set('trust proxy', ctx.config.TRUST_PROXY ?? false);

  app.use(observe(ctx));
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: apiPolicy } }));
  app.use(neverStored);
  const { config, accounts, rateLimits, overload, refusals } = ctx;
  app.use(overload.count);
  app.use(cors(config.CORS_ORIGINS, rateLimits));
  const admit = createAdmission(createIdentification(config.JWT_SECRET, accounts), rateLimits, overload, refusals);
  const means: Means = {
    admit,
    perform: performer(ctx),
    readBody: jsonBody(config.BODY_LIMIT_BYTES),
    readSmallBody: jsonBody(Math.min(config.BODY_LIMIT_BYTES, anonymousBodyLimit)),
  };
  addRoutes(app, means, operations);
  app.use(admit('everyone'));
  app.use(documents);
  app.use('/ws', upgradeRequired('/ws', 'This address answers WebSocket connections only'));
  app.use('/socket.io', upgradeRequired('/socket.io', withoutPolling));
  app.use(notFound);
  app.use(countedBy(rateLimits));
  app.use(errorHandler(ctx.log));
  return app;
}

// Parsing takes time that nobody answers for who has not signed in. In bytes.
const anonymousBodyLimit = 65_536;

// Answers are data: whoever opens one in a browser gets no script, no frame and no form out of it.
const apiPolicy = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"], 'form-action': ["'none'"] };

/** What the routes share. */
interface Means {
  admit: Admit;
  perform(operation: Operation): RequestHandler;
  readBody: RequestHandler[];
  readSmallBody: RequestHandler[];
}

function addRoutes(app: Express, means: Means, operations: readonly Operation[]): void {
  for (const sameUrls of Map.groupBy(operations, ({ path }) => shapeOf(path)).values()) {
    for (const operation of sameUrls) {
      const verb = operation.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
      app[verb](routeOf(operation.path), ...handlersOf(operation, means));
    }
    const [{ path } = { path: '' }] = sameUrls;
    app.all(routeOf(path), means.admit('everyone'), otherMethods(path, sameUrls));
  }
}

/** A path of the contract as express writes it. */
function routeOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function handlersOf(operation: Operation, { admit, perform, ...read }: Means): RequestHandler[] {
  const nameRoute: RequestHandler = (_request, response, next) => {
    response.locals.route = operation.path;
    next();
  };
  const readBody = operation.access === 'everyone' ? read.readSmallBody : read.readBody;
  return [nameRoute, admit(operation.access), ...(operation.input === 'body' ? readBody : []), perform(operation)];
}

/** What was refused before it was admitted, such as an address that cannot be decoded, counts as well. */
function countedBy(limits: RateLimits): ErrorRequestHandler {
  return async (thrown, request, response, next) => {
    if (!response.hasHeader('X-RateLimit-Limit')) await limits.take(request, response, undefined);
    next(thrown);
  };
}

const neverStored: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};

function otherMethods(path: string, operations: readonly Operation[]): RequestHandler {
  const allowed = operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  return (request, response) => {
    response.locals.route = path;
    if (request.method === 'OPTIONS') return void response.setHeader('Allow', `${allowed}, OPTIONS`).status(204).end();
    throw new PlatformError('METHOD_NOT_ALLOWED', `${request.method} is not allowed here`, { allowed });
  };
}

// Clients of Socket.IO poll first unless told otherwise.
const withoutPolling = "Socket.IO is served over WebSocket only: connect with transports: ['websocket']";

function upgradeRequired(route: string, message: string): RequestHandler {
  return (_request, response) => {
    response.locals.route = route;
    response.setHeader('Upgrade', 'websocket');
    response.setHeader('Connection', 'Upgrade');
    const error = new PlatformError('WEBSOCKET_CONNECTION_FAILED', message);
    sendJson(response, 426, errorText(error, response.locals.requestId));
  };
}

const notFound: RequestHandler = () => {
  throw new PlatformError('RESOURCE_NOT_FOUND', 'There is nothing at this address');
};

import { PlatformError } from '@claude-cli/shared/errors';
import { inSpanOf } from '@claude-cli/shared/telemetry';
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import helmet from 'helmet';
import type { GatewayContext } from '../context.ts';
import { shapeOf } from '../contract/endpoints.ts';
import type { Schema } from '../contract/schema.ts';
import type { Meta } from '../contract/serializer.ts';
import { version } from '../version.ts';
import { type Authenticate, callerFrom, createAuthentication } from './authentication.ts';
import { jsonBody } from './body.ts';
import { CancelBudget } from './cancel-budget.ts';
import { errorText, sendJson } from './envelope.ts';
import { errorHandler } from './errors.ts';
import { observe } from './metrics.ts';
import type { Operation } from './operations.ts';
import { type Page, paginate } from './pagination.ts';

/** The HTTP application: every operation as a route, and an answer in the envelope for everything else. */
export function createApp(ctx: GatewayContext, operations: readonly Operation[], document: Schema): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.set('case sensitive routing', true);

  app.use(observe(ctx));
  app.use(helmet({ contentSecurityPolicy: { useDefaults: false, directives: apiPolicy } }));
  app.use(neverStored);
  addRoutes(app, ctx, operations);
  const openapi = JSON.stringify(document);
  app.get('/openapi.json', (_request, response) => {
    response.locals.route = '/openapi.json';
    sendJson(response, 200, openapi);
  });
  app.use('/ws', upgradeRequired);
  app.use(notFound);
  app.use(errorHandler(ctx.log));
  return app;
}

// Parsing takes time that nobody answers for who has not signed in. In bytes.
const anonymousBodyLimit = 65_536;

// Answers are data: whoever opens one in a browser gets no script, no frame and no form out of it.
const apiPolicy = { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"], 'form-action': ["'none'"] };

/** What the routes share. */
interface Means {
  authenticate: Authenticate;
  readBody: RequestHandler[];
  readSmallBody: RequestHandler[];
  cancellations: CancelBudget;
}

function addRoutes(app: Express, { config }: GatewayContext, operations: readonly Operation[]): void {
  const means: Means = {
    authenticate: createAuthentication(config.JWT_SECRET),
    readBody: jsonBody(config.BODY_LIMIT_BYTES),
    readSmallBody: jsonBody(Math.min(config.BODY_LIMIT_BYTES, anonymousBodyLimit)),
    cancellations: new CancelBudget(),
  };
  for (const sameUrls of Map.groupBy(operations, ({ path }) => shapeOf(path)).values()) {
    for (const operation of sameUrls) {
      const verb = operation.method.toLowerCase() as 'get' | 'post' | 'put' | 'patch' | 'delete';
      app[verb](routeOf(operation.path), ...handlersOf(operation, means));
    }
    const [{ path } = { path: '' }] = sameUrls;
    app.all(routeOf(path), otherMethods(path, sameUrls));
  }
}

/** A path of the contract as express writes it. */
function routeOf(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ':$1');
}

function handlersOf(operation: Operation, { authenticate, cancellations, ...read }: Means): RequestHandler[] {
  const nameRoute: RequestHandler = (_request, response, next) => {
    response.locals.route = operation.path;
    next();
  };
  const readBody = operation.access === 'everyone' ? read.readSmallBody : read.readBody;
  return [
    nameRoute,
    ...authenticate(operation.access),
    ...(operation.input === 'body' ? readBody : []),
    (request, response) =>
      inSpanOf(request.headers, `${operation.method} ${operation.path}`, 'server', () =>
        answer(operation, cancellations, request, response),
      ),
  ];
}

async function answer(
  operation: Operation,
  cancellations: CancelBudget,
  request: Request,
  response: Response,
): Promise<void> {
  const query = queryOf(request);
  const message = operation.read({ params: request.params as Record<string, string>, query, body: request.body });
  const requestId: string = response.locals.requestId;
  const left = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished && cancellations.take()) left.abort();
  });
  if (response.destroyed) return;
  const data = await operation.call(message, {
    caller: callerFrom(request),
    requestId,
    deadline: new Date(Date.now() + operation.deadlineMs),
    signal: left.signal,
  });
  const meta: Meta = { timestamp: new Date().toISOString(), request_id: requestId, version };
  const whole = operation.paginated ? paginate(operation, message, query, data as Page) : data;
  sendJson(response, operation.status, operation.serialize({ data: whole, error: null, meta }));
}

function queryOf({ url }: Request): string {
  const start = url.indexOf('?');
  return start === -1 ? '' : url.slice(start + 1);
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

const upgradeRequired: RequestHandler = (_request, response) => {
  response.locals.route = '/ws';
  response.setHeader('Upgrade', 'websocket');
  response.setHeader('Connection', 'Upgrade');
  const error = new PlatformError('WEBSOCKET_CONNECTION_FAILED', 'This address answers WebSocket connections only');
  sendJson(response, 426, errorText(error, response.locals.requestId));
};

const notFound: RequestHandler = () => {
  throw new PlatformError('RESOURCE_NOT_FOUND', 'There is nothing at this address');
};

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PlatformError } from '@claude-cli/shared/errors';
import { newId } from '@claude-cli/shared/ids';
import { requestIdFrom } from '@claude-cli/shared/request-id';
import type { GatewayContext } from '../context.ts';
import { type Contract, loadContract } from '../contract/contract.ts';
import { endpointsOf } from '../contract/endpoints.ts';
import { docsRoutes } from '../docs/routes.ts';
import { createApp } from './app.ts';
import { hostFaultOf } from './host.ts';
import { operationsOf } from './operations.ts';
import { answerRaw, turnAway } from './raw-answer.ts';
import { createWebsocketProxy } from './websocket-proxy.ts';

/** The running public door. */
export interface Gateway extends AsyncDisposable {
  port: number;
}

// A caller who is slower than this with a header or a body is cut off, so that few of them cannot hold all connections.
const limits = {
  maxHeaderSize: 16_384,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 2_000,
  keepAliveTimeout: 65_000,
  // We see to it ourselves, also where a connection is upgraded.
  requireHostHeader: false,
  // Some HTTP clients offer h2c with every request; they get their answer over HTTP/1.1.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
};
/** A connection on which nothing moves for so long is closed; WebSockets are exempt. */
const idleMs = 120_000;
const maxConnections = 25_000;
/** Share of the grace period that requests in flight get; the rest is for the other things that stop. */
const drainShare = 0.4;

/** How long callers may take, in milliseconds. */
export type Patience = Partial<
  Pick<typeof limits, 'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval'>
>;

/** Start the public door. Disposing it stops accepting, lets requests in flight finish, and ends WebSockets. */
export async function startGateway(
  ctx: GatewayContext,
  contract: Contract = loadContract(),
  patience: Patience = {},
): Promise<Gateway> {
  const proxy = createWebsocketProxy(ctx);
  const endpoints = endpointsOf(contract);
  const app = createApp(ctx, await operationsOf(ctx, contract, endpoints), docsRoutes(contract, endpoints));
  const inFlight = new Set<ServerResponse>();
  const turnedAway = new WeakSet<Socket>();
  const server = createServer({ ...limits, ...patience }, (request, response) => {
    // What came along behind a request that was turned away is not looked at: the connection is closed (RFC 9112, 9.6).
    if (turnedAway.has(request.socket)) return;
    const fault = hostFaultOf(request);
    if (fault) {
      turnedAway.add(request.socket);
      return turnAway(response, fault, requestIdFrom(request.headers['x-request-id']));
    }
    inFlight.add(response);
    response.once('close', () => inFlight.delete(response));
    app(request, response);
  });
  server.setTimeout(idleMs);
  server.maxConnections = maxConnections;
  server.on('upgrade', (request, socket, head) => {
    if (turnedAway.has(request.socket)) return;
    const fault = hostFaultOf(request);
    if (fault) answerRaw(socket, fault, requestIdFrom(request.headers['x-request-id']));
    else proxy.upgrade(request, socket, head);
  });
  server.on('clientError', (error: Error & { code?: string }, socket) => {
    // As node does by itself: an answer that has begun is not followed by another one.
    if ('_httpMessage' in socket && (socket._httpMessage as ServerResponse | null)?.headersSent)
      return socket.destroy();
    const [refusal, status] = refusalOf(error.code);
    answerRaw(socket, refusal, newId(), status);
  });
  server.listen(ctx.config.PORT, ctx.config.HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  ctx.log.info({ port }, 'the public door is open');
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      // The next request of their connections would find nobody.
      for (const response of inFlight) response.shouldKeepAlive = false;
      const closed = once(server, 'close');
      server.close();
      ctx.streams.endAll();
      proxy.close();
      await drained(server, closed, ctx.config.SHUTDOWN_GRACE_MS * drainShare);
    },
  };
}

/** What is answered to something that is no HTTP request, or not in time: node has closed the book on it already. */
function refusalOf(code: string | undefined): [PlatformError, number] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [new PlatformError('REQUEST_TOO_LARGE', 'The headers are too large'), 431];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [new PlatformError('REQUEST_MALFORMED', 'The request did not arrive in time'), 408];
    default:
      return [new PlatformError('REQUEST_MALFORMED', 'The request cannot be read'), 400];
  }
}

async function drained(server: Server, closed: Promise<unknown>, graceMs: number): Promise<void> {
  const cutOff = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cutOff);
}

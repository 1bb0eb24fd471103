import { Agent, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { PlatformError } from '@claude-cli/shared/errors';
import { requestIdFrom } from '@claude-cli/shared/request-id';
import { createProxyMiddleware } from 'http-proxy-middleware';
import type { GatewayContext } from '../context.ts';
import { isAllowedOrigin } from './cors.ts';
import { answerRaw } from './raw-answer.ts';

/** More connections than this through one gateway are refused. */
const maxSockets = 20_000;
/** How long a client may take to close its side. */
const closeGraceMs = 500;

const realtimePath = /^\/ws\/[\w.~%-]{1,128}\/?(\?|$)|^\/socket\.io\/?\?/;
// What a proxy in front of us would say; none is trusted, so what a caller sends is not passed on as if it were true.
const forwardedHeaders = /^(x-forwarded-.*|forwarded|x-real-ip)$/;

/** Passes WebSocket connections on to realtime. */
export interface WebsocketProxy {
  /** For the server's upgrade event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** End all connections. */
  close(): void;
}

/** A proxy to REALTIME_URL. @param upgradeTimeoutMs longest wait for realtime to accept a connection */
export function createWebsocketProxy({ config, log }: GatewayContext, upgradeTimeoutMs = 10_000): WebsocketProxy {
  const sockets = new Set<Duplex>();
  // Once a connection is upgraded, an HTTP answer would be garbage in the middle of frames.
  const upgraded = new WeakSet<object>();
  const agent = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  const proxy = createProxyMiddleware<IncomingMessage>({
    target: config.REALTIME_URL,
    agent,
    xfwd: true,
    upgradeTimeout: upgradeTimeoutMs,
    // The default plugins close the socket before our answer is out, and write to the console.
    ejectPlugins: true,
    plugins: [
      (server) => {
        server.on('proxyReqWs', (proxyRequest, _request, socket) => {
          proxyRequest.once('upgrade', () => upgraded.add(socket));
        });
        server.on('error', (error, request, to) => {
          const socket = to as Socket;
          const requestId = String(request?.headers['x-request-id']);
          log.debug({ request_id: requestId, err: error }, 'a proxied WebSocket failed');
          if (upgraded.has(socket)) socket.destroy();
          else answerRaw(socket, errorOf(error), requestId);
        });
      },
    ],
  });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const requestId = requestIdFrom(request.headers['x-request-id']);
    socket.on('error', (err) => log.debug({ request_id: requestId, err }, 'a WebSocket client broke off'));
    const { origin } = request.headers;
    // Browsers ask nobody before they open a WebSocket. Others need not say where they come from.
    if (config.CORS_ORIGINS !== undefined && origin !== undefined && !isAllowedOrigin(config.CORS_ORIGINS, origin)) {
      return answerRaw(socket, foreignOrigin(), requestId);
    }
    if (!realtimePath.test(request.url ?? '')) return answerRaw(socket, nothingHere(), requestId);
    if (request.method !== 'GET') return answerRaw(socket, onlyGet(), requestId);
    if (sockets.size >= maxSockets) return answerRaw(socket, overloaded(), requestId);
    for (const name of Object.keys(request.headers)) if (forwardedHeaders.test(name)) delete request.headers[name];
    request.headers['x-request-id'] = requestId;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    proxy.upgrade(request, socket as Socket, head);
  };
  return {
    upgrade,
    close: () => {
      for (const socket of sockets) socket.end();
      agent.destroy();
      // A client that does not close its side would keep the server from stopping.
      setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, closeGraceMs).unref();
    },
  };
}

const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

function errorOf(error: Error & { code?: unknown }): PlatformError {
  return unreachable.has(String(error.code))
    ? new PlatformError('SERVICE_UNAVAILABLE', 'realtime cannot be reached', { service: 'realtime' }, error)
    : new PlatformError('WEBSOCKET_CONNECTION_FAILED', 'The WebSocket connection failed', {}, error);
}

function nothingHere(): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'There is nothing at this address');
}

function foreignOrigin(): PlatformError {
  return new PlatformError('AUTH_INSUFFICIENT_PERMISSIONS', 'Pages of this origin may not connect');
}

function onlyGet(): PlatformError {
  return new PlatformError('METHOD_NOT_ALLOWED', 'A WebSocket is opened by GET', { allowed: 'GET' });
}

function overloaded(): PlatformError {
  return new PlatformError('SYSTEM_OVERLOADED', 'Too many connections, try again later');
}

import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { testCertificate } from './certificate.ts';

/** A request as it came in. */
export interface Received {
  method: string | undefined;
  path: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
  at: number;
}

/** A real HTTP server that webhooks are delivered to. */
export interface Receiver extends AsyncDisposable {
  url: string;
  port: number;
  /** Requests that came in whole, in their order. */
  received: Received[];
  /** Connections that were made to it. */
  connections: number;
  /** How it answers from now on. */
  answer: Answer;
}

/** What a receiver does with a request. */
export type Answer = (response: ServerResponse, request: Received, socket: Socket) => void;

/** Answer with a status, and headers. */
export const status =
  (code: number, headers: Record<string, string> = {}, body = ''): Answer =>
  (response) =>
    void response.writeHead(code, headers).end(body);

/** Never answer. */
export const hang: Answer = () => {};

/** Start a receiver on a free port of the loopback. */
export async function startReceiver(answer: Answer = status(204), protocol: 'http' | 'https' = 'http') {
  const sockets = new Set<Socket>();
  const server = protocol === 'http' ? createServer() : createTlsServer(testCertificate);
  server.on('connection', (socket: Socket) => {
    receiver.connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('request', async (request, response) => {
    let body = '';
    request.setEncoding('utf8');
    try {
      for await (const chunk of request) body += chunk;
    } catch {
      return;
    }
    const { method, url: path, headers } = request;
    const received = { method, path, headers, body, at: performance.now() };
    receiver.received.push(received);
    receiver.answer(response, received, request.socket);
  });
  await once((server as Server).listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const receiver: Receiver = {
    url: `${protocol}://127.0.0.1:${port}/hook`,
    port,
    received: [],
    connections: 0,
    answer,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}

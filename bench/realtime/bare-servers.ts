import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { type WebSocket, WebSocketServer } from 'ws';

/** What a bare server is told to send: to everybody, or to the client with this number. */
export interface Order {
  data: object[];
  to: number | 'all';
}

const message = (data: object, seq: number) => {
  return {
    type: 'task_update',
    data,
    timestamp: '2025-07-30T14:00:00.000Z',
    seq,
    epoch: '01890000-0000-7000-8000-000000000001',
  };
};

/** `ws` with nothing around it: one encoded message, sent to each socket. */
export function serveWs(): void {
  const server = createServer();
  const sockets: (WebSocket | undefined)[] = [];
  new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
    const place = firstFree(sockets);
    sockets[place] = socket;
    socket.on('close', () => (sockets[place] = undefined));
  });
  let seq = 0;
  process.on('message', ({ data, to }: Order) => {
    for (const each of data) {
      const bytes = Buffer.from(JSON.stringify(message(each, ++seq)));
      for (const socket of to === 'all' ? sockets : [sockets[to]]) socket?.send(bytes, { binary: false });
    }
  });
  listen(server);
}

/** socket.io with nothing around it: a room for all, and one for each. */
export function serveSocketIo(): void {
  const server = createServer();
  const io = new Server(server, { transports: ['websocket'], perMessageDeflate: false, pingInterval: 600_000 });
  const places: (true | undefined)[] = [];
  io.on('connection', (socket) => {
    const place = firstFree(places);
    places[place] = true;
    socket.on('disconnect', () => (places[place] = undefined));
    void socket.join(['all', String(place)]);
  });
  let seq = 0;
  process.on('message', ({ data, to }: Order) => {
    for (const each of data) io.to(String(to)).emit('task_update', message(each, ++seq));
  });
  listen(server);
}

function firstFree(places: readonly unknown[]): number {
  const free = places.indexOf(undefined);
  return free < 0 ? places.length : free;
}

function listen(server: ReturnType<typeof createServer>): void {
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

import { createServer, type Server } from 'node:net';
import { hasCode, SetupError } from './setup-error.ts';

// Below the ranges from which Linux and macOS take ports of outgoing connections: a client that keeps dialling the free
// port of a service that restarts can otherwise take that very port, or be connected to itself.
const lowest = 20_000;
const highest = 31_999;
const span = highest - lowest + 1;

// A port that was found free is listened on only moments later, and is free again while its service restarts. Processes that
// look at the same time therefore look in different places, each of them on from where it looked last. Their ids differ by
// the threads of those started in between, about a dozen each, so only those 47 apart may meet.
const places = 47;
let next = (process.pid % places) * Math.floor(span / places);

/** Loopback ports that are free now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  try {
    for (let attempt = 0; held.length < count && attempt < 1000; attempt++) {
      const port = lowest + next;
      next = (next + 1) % span;
      const server = await listen(port, '127.0.0.1').catch(() => undefined);
      if (server) held.push(server);
    }
    if (held.length < count) throw new SetupError('No free ports were found between 20000 and 31999 on 127.0.0.1.');
    return held.map(portOf);
  } finally {
    await Promise.all(held.map(close));
  }
}

/** A free loopback port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error('no port');
  return port;
}

/** @throws SetupError that says what to do when the port cannot be listened on */
export async function assertPortFree(host: string, port: number): Promise<void> {
  try {
    await close(await listen(port, host));
  } catch (cause) {
    if (hasCode(cause, 'EADDRINUSE')) {
      throw new SetupError(
        `Port ${port} is in use: stop the program that uses it, or choose another with PORT=<port>.`,
      );
    }
    if (hasCode(cause, 'EACCES')) {
      throw new SetupError(`Port ${port} needs privileges: choose one above 1023 with PORT=<port>.`);
    }
    throw new SetupError(`Cannot listen on ${host}:${port} (${(cause as Error).message}): correct HOST or PORT.`);
  }
}

function listen(port: number, host: string): Promise<Server> {
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  const server = createServer();
  server.once('error', reject);
  server.listen({ port, host, exclusive: true }, () => resolve(server));
  return promise;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

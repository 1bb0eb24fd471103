import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { newId } from '@claude-cli/shared/ids';
import { taskCompleted } from '../../apps/webhook-dispatcher/src/testing/requests.ts';
import { at, type Measured } from './setup.ts';

const warmUp = 50;

/** Milliseconds from an event at the broker until it has arrived at each receiver, one event at a time. */
export async function measureLatency(
  measured: Measured,
  endpoints: number,
  events: number,
): Promise<{ p50: number; p99: number }> {
  let arrived = (_seen: number) => {};
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      arrived(performance.now());
      response.writeHead(204).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await measured.subscribe(`http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, endpoints);
  const project = newId();
  const taken: number[] = [];
  for (let n = 0; n < warmUp + events; n++) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const seen: number[] = [];
    arrived = (moment) => {
      seen.push(moment);
      if (seen.length === endpoints) resolve();
    };
    const published = performance.now();
    await measured.bus.publishEvent(taskCompleted(project));
    await promise;
    if (n >= warmUp) taken.push(...seen.map((moment) => moment - published));
  }
  server.close();
  server.closeAllConnections();
  return { p50: at(taken, 0.5), p99: at(taken, 0.99) };
}

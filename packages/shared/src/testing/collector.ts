import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A collector that keeps what it is told by OTLP, by the kind: traces, metrics or logs. */
export interface Collector extends AsyncDisposable {
  told: Record<string, unknown[]>;
  endpoint: string;
}

/** Start a collector on a free port. */
export async function startCollector(): Promise<Collector> {
  const told: Record<string, unknown[]> = {};
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const kind = request.url?.split('/').at(-1) ?? '';
    told[kind] = [...(told[kind] ?? []), JSON.parse(body)];
    response.end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    told,
    // A path before it, as collectors behind a proxy have.
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/otlp`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

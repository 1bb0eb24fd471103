import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from '../telemetry/metrics.ts';

/** Health of a process for whoever operates it, on a port of its own. */
export interface AdminServer extends AsyncDisposable {
  port: number;
}

/**
 * Serve /livez (the process answers), /readyz (it can do its work: 200, or 503 with the reasons) and /metrics (Prometheus).
 * @param unready reasons why the service cannot work now; none: ready
 */
export async function startAdmin(host: string, port: number, unready: () => Promise<string[]>): Promise<AdminServer> {
  const server = createServer({ requestTimeout: 5_000 }, async (request, response) => {
    // What cannot be told is no reason to end the process.
    const [status, body, type = 'text/plain'] = await tell(request.url, unready).catch(
      (): Told => [500, 'cannot be told\n'],
    );
    response.writeHead(status, { 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

type Told = [status: number, body: string, type?: string];

async function tell(url: string | undefined, unready: () => Promise<string[]>): Promise<Told> {
  if (url === '/livez') return [200, 'ok\n'];
  if (url === '/metrics') return [200, await metrics.metrics(), metrics.contentType];
  if (url !== '/readyz') return [404, 'not found\n'];
  const reasons = await unready();
  return reasons.length === 0 ? [200, 'ok\n'] : [503, `${reasons.join('\n')}\n`];
}

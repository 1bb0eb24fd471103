import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from '../telemetry.ts';

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
    const answer = (status: number, body: string, type = 'text/plain') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (request.url === '/livez') return answer(200, 'ok\n');
    if (request.url === '/metrics') return answer(200, await metrics.metrics(), metrics.contentType);
    if (request.url !== '/readyz') return answer(404, 'not found\n');
    const reasons = await unready();
    return reasons.length === 0 ? answer(200, 'ok\n') : answer(503, `${reasons.join('\n')}\n`);
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

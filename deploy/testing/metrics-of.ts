import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A metric as a service registers it. */
export interface ToldMetric {
  name: string;
  help: string;
  type: string;
  labels: string[];
}

/** How long loading a service may take, in milliseconds. */
const timeoutMs = 60_000;

/** The metrics of a service. @throws Error with what it wrote when it cannot be loaded */
export async function metricsOf(service: string): Promise<ToldMetric[]> {
  const script = fileURLToPath(new URL('./tell-metrics.ts', import.meta.url));
  const child = fork(script, [service], { execArgv: [], silent: true, timeout: timeoutMs });
  let told: ToldMetric[] | undefined;
  let said = '';
  child.on('message', (metrics: ToldMetric[]) => {
    told = metrics;
  });
  child.stderr?.on('data', (text: Buffer) => {
    said = (said + text).slice(-4_000);
  });
  await once(child, 'close');
  if (!told) throw new Error(`${service} cannot be loaded: ${said}`);
  return told;
}

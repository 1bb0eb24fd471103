// Usage: fork('tell-metrics.ts', [service]). Tells the parent the metrics that a service has: all are there once it is loaded.
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import type { ToldMetric } from './metrics-of.ts';

const [name = ''] = process.argv.slice(2);
await import('@claude-cli/shared/service/service');
await import(`../../apps/${name}/src/service.ts`);
const told = metrics.getMetricsAsArray().map((metric): ToldMetric => {
  const { name, help, type, labelNames } = metric as unknown as ToldMetric & { labelNames: string[] };
  return { name, help, type: String(type), labels: [...labelNames] };
});
await new Promise((sent) => process.send?.(told, sent));
process.exit(0);

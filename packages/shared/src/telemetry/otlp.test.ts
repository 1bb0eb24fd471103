import { expect, test } from '@jest/globals';
import { Counter, Histogram } from 'prom-client';
import { createLogger } from '../logger.ts';
import { startCollector } from '../testing/collector.ts';
import { metrics, WatchedGauge } from './metrics.ts';
import { startTelemetry } from './start.ts';
import { inSpan, recordsSpans } from './tracing.ts';

test('without a collector nothing is recorded', async () => {
  await using telemetry = await startTelemetry({ service: 'test', endpoint: undefined, ratio: 1 });
  expect([telemetry.logs, recordsSpans()]).toEqual([undefined, false]);
});

test('a collector is told spans, metrics as Prometheus is, and log lines with their place in the trace', async () => {
  await using collector = await startCollector();
  const requests = new Counter({ name: 'test_total', help: 'h', labelNames: ['kind'], registers: [metrics] });
  const seconds = new Histogram({ name: 'test_seconds', help: 'h', buckets: [1, 5], registers: [metrics] });
  await using _watched = new WatchedGauge('test_gauge', 'h', ['state']).watch(() => [
    [{ state: 'used' }, 2],
    [{ state: 'used' }, 3],
  ]);
  requests.inc({ kind: 'a' }, 4);
  for (const value of [0.5, 0.5, 3, 9]) seconds.observe(value);
  {
    await using telemetry = await startTelemetry({ service: 'test', endpoint: collector.endpoint, ratio: 1 });
    const log = createLogger('test', 'info', { write: () => {} }, telemetry.logs);
    await inSpan('a span', {}, async () => log.warn({ password: 'never', n: 1 }, 'a line'));
  }
  const text = JSON.stringify(collector.told);
  expect(text).not.toContain('never');
  expect(collector.told.traces).toMatchObject([
    {
      resourceSpans: [
        { scopeSpans: [{ spans: [{ name: 'a span', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) }] }] },
      ],
    },
  ]);
  const spans = collector.told.traces as { resourceSpans: { scopeSpans: { spans: object[] }[] }[] }[];
  const [span] = spans.flatMap(({ resourceSpans }) => resourceSpans.flatMap(({ scopeSpans }) => scopeSpans[0]?.spans));
  const { traceId, spanId } = { traceId: '', spanId: '', ...span };
  expect(collector.told.logs).toMatchObject([
    {
      resourceLogs: [
        {
          scopeLogs: [
            {
              logRecords: [
                { body: { stringValue: 'a line' }, severityText: 'WARN', severityNumber: 13, traceId, spanId },
              ],
            },
          ],
        },
      ],
    },
  ]);
  const sent = collector.told.metrics as { resourceMetrics: { scopeMetrics: { metrics: { name: string }[] }[] }[] }[];
  const byName = new Map(
    sent
      .flatMap(({ resourceMetrics }) => resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics))
      .flatMap((scope) => scope.metrics.map((metric) => [metric.name, metric] as const)),
  );
  expect(byName.get('test_total')).toMatchObject({ sum: { isMonotonic: true, dataPoints: [{ asDouble: 4 }] } });
  expect(byName.get('test_gauge')).toMatchObject({ gauge: { dataPoints: [{ asDouble: 5 }] } });
  expect(byName.get('test_seconds')).toMatchObject({
    histogram: { dataPoints: [{ count: 4, sum: 13, explicitBounds: [1, 5], bucketCounts: [2, 1, 1] }] },
  });
  expect(byName.has('process_resident_memory_bytes')).toBe(true);
});

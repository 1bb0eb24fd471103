import { setTimeout } from 'node:timers/promises';
import { context, DiagLogLevel, diag, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { newId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { logSink } from './otlp-logs.ts';
import { registryProducer } from './otlp-metrics.ts';
import type { Telemetry, TelemetrySettings } from './start.ts';
import { recordSpans } from './tracing.ts';

/** How long a request to the collector may take, its repetitions included, in milliseconds. */
const exportMs = 2_500;
/** How long sending what is left may hold up a process that stops, in milliseconds. */
const stopMs = 3_000;
/** Pause between two times that something is sent, in milliseconds. */
const pauses = { traces: 2_000, logs: 2_000, metrics: 15_000 };
/** What waits to be sent at most; more is dropped. */
const queued = 4_096;
/** How often it is said that nothing can be sent, at most, in milliseconds. */
const faultsMs = 60_000;

/** Send traces, metrics and logs to a collector. What cannot be sent is dropped: it never holds up what it tells of. */
export function startOtlp({ service, endpoint, ratio }: TelemetrySettings & { endpoint: string }): Telemetry {
  const resource = resourceFromAttributes({
    'service.name': service,
    'service.namespace': 'claude-cli',
    'service.instance.id': newId(),
  });
  const to = (kind: string) => ({ url: new URL(`v1/${kind}`, slashed(endpoint)).href, timeoutMillis: exportMs });
  const batches = { maxQueueSize: queued, exportTimeoutMillis: exportMs };

  const traces = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter(to('traces')),
        scheduledDelayMillis: pauses.traces,
        ...batches,
      }),
    ],
  });
  const logs = new LoggerProvider({
    resource,
    processors: [
      new BatchLogRecordProcessor({
        exporter: new OTLPLogExporter(to('logs')),
        scheduledDelayMillis: pauses.logs,
        ...batches,
      }),
    ],
  });
  const meters = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(to('metrics')),
        exportIntervalMillis: pauses.metrics,
        exportTimeoutMillis: exportMs,
        metricProducers: [registryProducer(resource)],
      }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(traces);
  recordSpans(true);

  const stop = async () => {
    recordSpans(false);
    const sent = Promise.allSettled([traces.shutdown(), meters.shutdown(), logs.shutdown()]);
    await Promise.race([sent, setTimeout(stopMs, undefined, { ref: false })]);
    for (const api of [trace, propagation, context, diag]) api.disable();
  };
  return { logs: logSink(logs), tellFaults, [Symbol.asyncDispose]: stop };
}

/** Attempts fail one after the other while the collector is away: that is said now and then. */
function tellFaults(log: Logger): void {
  let quietUntil = 0;
  const tell = (message: string) => {
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + faultsMs;
    log.warn({ reason: message.slice(0, 300) }, 'telemetry cannot be sent');
  };
  const ignore = () => {};
  const logger = { error: tell, warn: ignore, info: ignore, debug: ignore, verbose: ignore };
  diag.setLogger(logger, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
}

/** So that what follows is put behind it. */
function slashed(address: string): string {
  return address.endsWith('/') ? address : `${address}/`;
}

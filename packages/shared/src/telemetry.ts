import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { PlatformError } from './errors.ts';
import type { Interceptor } from './grpc/interceptor.ts';

/** Metrics of this process, served at /metrics of the admin port. */
export const metrics = new Registry();
collectDefaultMetrics({ register: metrics });

const tracer = trace.getTracer('claude-cli-platform');

/** Upper bounds of the buckets in which durations are counted, in seconds. */
export const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const rpcDuration = new Histogram({
  name: 'rpc_duration_seconds',
  help: 'Duration of gRPC calls by side, method and resulting error code (OK without one)',
  labelNames: ['side', 'method', 'code'] as const,
  buckets: durationBuckets,
  registers: [metrics],
});

/** Send traces to the collector when OTEL_EXPORTER_OTLP_ENDPOINT is set; without it, spans cost nothing. */
export async function startTracing(service: string, endpoint: string | undefined): Promise<AsyncDisposable> {
  if (!endpoint) return { [Symbol.asyncDispose]: async () => {} };
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({ serviceName: service });
  sdk.start();
  return { [Symbol.asyncDispose]: () => sdk.shutdown() };
}

/** Run something inside a span; a throw marks the span as failed. */
export function inSpan<Result>(name: string, kind: SpanKind, run: (span: Span) => Promise<Result>): Promise<Result> {
  return tracer.startActiveSpan(name, { kind }, async (span) => {
    try {
      return await run(span);
    } catch (thrown) {
      const error = PlatformError.from(thrown);
      span.setAttribute('error.type', error.code);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw thrown;
    } finally {
      span.end();
    }
  });
}

/** The same, as part of the trace that the headers of a request or a message carry. */
export function inSpanOf<Result>(
  headers: object,
  name: string,
  kind: 'server' | 'consumer',
  run: () => Promise<Result>,
): Promise<Result> {
  const parent = propagation.extract(context.active(), headers);
  return context.with(parent, () => inSpan(name, kind === 'server' ? SpanKind.SERVER : SpanKind.CONSUMER, run));
}

const spanned =
  (kind: SpanKind): Interceptor =>
  (next) =>
  (rpc) =>
    inSpan(rpc.path.slice(1), kind, () => next(rpc));

const measured =
  (side: 'client' | 'server'): Interceptor =>
  (next) =>
  async (rpc) => {
    const started = performance.now();
    let code = 'OK';
    try {
      return await next(rpc);
    } catch (thrown) {
      code = PlatformError.from(thrown).code;
      throw thrown;
    } finally {
      rpcDuration.observe({ side, method: rpc.path, code }, (performance.now() - started) / 1000);
    }
  };

/** A span around each call that this process serves. */
export const traceRpc = spanned(SpanKind.SERVER);
/** A span around each call that this process makes. */
export const traceClientRpc = spanned(SpanKind.CLIENT);
/** Duration of each call that this process serves. */
export const measureRpc = measured('server');
/** Duration of each call that this process makes. */
export const measureClientRpc = measured('client');

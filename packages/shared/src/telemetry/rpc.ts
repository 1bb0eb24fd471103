import { Histogram } from 'prom-client';
import { PlatformError } from '../errors.ts';
import type { Interceptor } from '../grpc/interceptor.ts';
import { durationBuckets, metrics } from './metrics.ts';
import { inSpan } from './tracing.ts';

const duration = new Histogram({
  name: 'rpc_duration_seconds',
  help: 'Duration of gRPC calls by side, method and resulting error code (OK without one)',
  labelNames: ['side', 'method', 'code'] as const,
  buckets: durationBuckets,
  registers: [metrics],
});

const spanned =
  (kind: 'client' | 'server'): Interceptor =>
  (next) =>
  (rpc) =>
    inSpan(rpc.path.slice(1), { kind, attributes: { 'rpc.system': 'grpc' } }, () => next(rpc));

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
      duration.observe({ side, method: rpc.path, code }, (performance.now() - started) / 1000);
    }
  };

/** A span around each call that this process serves. */
export const traceRpc = spanned('server');
/** A span around each call that this process makes. */
export const traceClientRpc = spanned('client');
/** Duration of each call that this process serves. */
export const measureRpc = measured('server');
/** Duration of each call that this process makes. */
export const measureClientRpc = measured('client');

import { requestIdFrom } from '@claude-cli/shared/request-id';
import { durationBuckets, metrics } from '@claude-cli/shared/telemetry/metrics';
import { openSpanOf } from '@claude-cli/shared/telemetry/tracing';
import type { RequestHandler } from 'express';
import { Gauge, Histogram } from 'prom-client';
import type { GatewayContext } from '../context.ts';
import { onceAnswered } from './answered.ts';

const duration = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'Duration of HTTP requests by method, route template and status',
  labelNames: ['method', 'route', 'status'] as const,
  buckets: durationBuckets,
  registers: [metrics],
});

const inFlight = new Gauge({
  name: 'http_requests_in_flight',
  help: 'HTTP requests that are being answered',
  registers: [metrics],
});

/** Status that the log shows for a caller who left before the answer. */
const clientClosed = 499;

/** Names each request, and measures and logs it when it is over. Routes put their template into `locals.route`. */
export function observe({ log, window }: GatewayContext): RequestHandler {
  return (request, response, next) => {
    const started = performance.now();
    const requestId = requestIdFrom(request.headers['x-request-id']);
    response.locals.requestId = requestId;
    response.setHeader('X-Request-ID', requestId);
    const span = openSpanOf(request.headers, 'request', { kind: 'server' });
    inFlight.inc();
    onceAnswered(response, (answered) => {
      inFlight.dec();
      const milliseconds = performance.now() - started;
      const status = answered ? response.statusCode : clientClosed;
      const route: string = response.locals.route ?? 'none';
      const method = knownMethods.has(request.method) ? request.method : 'other';
      duration.observe({ method, route, status }, milliseconds / 1000);
      window.add(status, milliseconds);
      const facts = { request_id: requestId, method, route, status, ms: Math.round(milliseconds * 10) / 10 };
      span.run(() => log.debug(facts, 'request'));
      const attributes = {
        'http.request.method': method,
        'http.route': route,
        'http.response.status_code': status,
        'request.id': requestId,
      };
      span.end(`${method} ${route}`, attributes, status >= 500);
    });
    span.run(next);
  };
}

// A caller may send any of the methods that Node parses; only these become labels.
const knownMethods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

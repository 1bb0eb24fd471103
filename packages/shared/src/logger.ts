import { trace } from '@opentelemetry/api';
import { type DestinationStream, destination, type Logger, pino } from 'pino';
import { redacted } from './redacted.ts';
import type { LogSink } from './telemetry/start.ts';
import { recordsSpans } from './telemetry/tracing.ts';

export type { Logger } from 'pino';

/**
 * A JSON logger for one service. Secrets are taken out of its lines; those written within a trace name it.
 * @param out where lines go; stdout when absent
 * @param also a second place
 */
export function createLogger(
  service: string,
  level: string,
  out: DestinationStream = destination(1),
  also?: LogSink,
): Logger {
  const write = (line: string) => {
    const told = redacted(line);
    out.write(told);
    also?.(told);
  };
  return pino({ level, base: { service }, mixin: placeInTrace }, { write });
}

// pino adds to what it is given.
const placeInTrace = () => {
  const place = recordsSpans() ? trace.getActiveSpan()?.spanContext() : undefined;
  return place ? { trace_id: place.traceId, span_id: place.spanId } : {};
};

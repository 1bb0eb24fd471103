import { type LogRecord, ROOT_CONTEXT, SeverityNumber, TraceFlags, trace } from '@opentelemetry/api';
import type { LoggerProvider } from '@opentelemetry/sdk-logs';
import type { LogSink } from './start.ts';

/** By pino's numbers. */
const severities: Readonly<Record<number, readonly [SeverityNumber, string]>> = {
  10: [SeverityNumber.TRACE, 'TRACE'],
  20: [SeverityNumber.DEBUG, 'DEBUG'],
  30: [SeverityNumber.INFO, 'INFO'],
  40: [SeverityNumber.WARN, 'WARN'],
  50: [SeverityNumber.ERROR, 'ERROR'],
  60: [SeverityNumber.FATAL, 'FATAL'],
};

/** Sends the lines of a log as records, just as they were written: what is secret was taken out of them before. */
export function logSink(provider: LoggerProvider): LogSink {
  const logger = provider.getLogger('claude-cli-platform');
  return (line) => {
    const { level, time, msg, trace_id, span_id, service: _known, ...attributes } = JSON.parse(line);
    const [severityNumber, severityText] = severities[level] ?? [SeverityNumber.UNSPECIFIED, String(level)];
    const place = { traceId: trace_id, spanId: span_id, traceFlags: TraceFlags.SAMPLED };
    logger.emit({
      severityNumber,
      severityText,
      timestamp: time,
      body: msg ?? '',
      attributes: attributes as NonNullable<LogRecord['attributes']>,
      ...(trace_id && { context: trace.setSpanContext(ROOT_CONTEXT, place) }),
    });
  };
}

import { Counter, Histogram } from 'prom-client';
import type { EventType } from '../events.ts';
import { durationBuckets, metrics } from '../telemetry/metrics.ts';

const events = new Counter({
  name: 'events_published_total',
  help: 'Events that the broker has taken from this process, by type',
  labelNames: ['type'] as const,
  registers: [metrics],
});

const duration = new Histogram({
  name: 'message_duration_seconds',
  help: 'Duration of attempts to handle a message, by consumer and result: done or failed',
  labelNames: ['consumer', 'result'] as const,
  buckets: durationBuckets,
  registers: [metrics],
});

const aside = new Counter({
  name: 'messages_set_aside_total',
  help: 'Messages that this process gave to the dead letters, by consumer',
  labelNames: ['consumer'] as const,
  registers: [metrics],
});

/** The broker has an event. */
export function countEvent(type: EventType): void {
  events.inc({ type });
}

/** A message goes to the dead letters. */
export function setAside(consumer: string): void {
  aside.inc({ consumer });
}

/** Measures each run of a handler. */
export function handledMessage(consumer: string, run: () => Promise<void>): () => Promise<void> {
  return async () => {
    const started = performance.now();
    let result = 'failed';
    try {
      await run();
      result = 'done';
    } finally {
      duration.observe({ consumer, result }, (performance.now() - started) / 1000);
    }
  };
}

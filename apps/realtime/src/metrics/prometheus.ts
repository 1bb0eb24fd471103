import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent } from '@claude-cli/shared/events';
import { durationBuckets, metrics, WatchedGauge } from '@claude-cli/shared/telemetry/metrics';
import { Counter, Histogram } from 'prom-client';
import { Refusal } from '../connections/refusal.ts';
import type { Context } from '../context.ts';

const connections = new WatchedGauge('live_connections', 'Open connections by transport: websocket, socketio, sse', [
  'transport',
]);

const waiting = new WatchedGauge(
  'live_waiting_bytes',
  'Bytes that wait for clients who have not read what came before',
);

const dropped = new Counter({
  name: 'live_messages_dropped_total',
  help: 'Messages with output that slow clients were not sent',
  registers: [metrics],
});

const gaps = new Counter({
  name: 'live_gaps_total',
  help: 'Gaps that slow clients were told of, in place of messages that were dropped',
  registers: [metrics],
});

const slowClients = new Counter({
  name: 'live_slow_clients_total',
  help: 'Clients that were disconnected because too much waited for them',
  registers: [metrics],
});

const lag = new Histogram({
  name: 'live_log_lag_seconds',
  help: 'From when an event happened to when it was numbered, stored and passed on',
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
  registers: [metrics],
});

const answers = new Histogram({
  name: 'live_request_duration_seconds',
  help: 'Duration of what clients ask for by messages, by type and resulting error code (OK without one)',
  labelNames: ['type', 'code'] as const,
  buckets: durationBuckets,
  registers: [metrics],
});

/** Measures what is done with a message of a client. @param type one of those that there are */
export async function measured<Result>(type: string, run: () => Promise<Result>): Promise<Result> {
  const started = performance.now();
  let code = 'OK';
  try {
    return await run();
  } catch (thrown) {
    code = thrown instanceof Refusal ? thrown.error.code : PlatformError.from(thrown).code;
    throw thrown;
  } finally {
    answers.observe({ type, code }, (performance.now() - started) / 1000);
  }
}

/** Messages were dropped. @param isNew whether they begin a gap */
export function countDropped(count: number, isNew: boolean): void {
  dropped.inc(count);
  if (isNew) gaps.inc();
}

/** A client reads so slowly that it is disconnected. */
export function countSlowClient(): void {
  slowClients.inc();
}

/** Events were passed on to those who watch them. */
export function countPassedOn(events: readonly Pick<AnyEvent, 'time'>[]): void {
  const now = Date.now();
  for (const { time } of events) {
    const seconds = (now - Date.parse(time)) / 1000;
    if (Number.isFinite(seconds)) lag.observe(Math.max(0, seconds));
  }
}

/** Show who is connected, and what waits for them. */
export async function watchConnections({ connections: open }: Context): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  stack.use(connections.watch(() => [...open.byTransport()].map(([transport, count]) => [{ transport }, count])));
  stack.use(waiting.watch(() => [[{}, open.waitingBytes]]));
  return stack.move();
}

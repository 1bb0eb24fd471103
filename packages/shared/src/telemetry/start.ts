import type { Logger } from '../logger.ts';

/** What telemetry is sent by. */
export interface TelemetrySettings {
  service: string;
  /** Address of a collector; undefined: nothing is sent. */
  endpoint: string | undefined;
  /** Share of the traces that begin here and are recorded, from 0 to 1. */
  ratio: number;
}

/** Where log lines go besides stdout. */
export type LogSink = (line: string) => void;

/** Telemetry of this process. Disposed, it sends what is left, within seconds. */
export interface Telemetry extends AsyncDisposable {
  /** Absent when nothing is sent. */
  logs?: LogSink;
  /** Say in a log what cannot be sent. */
  tellFaults(log: Logger): void;
}

/** Send traces, metrics and logs by OTLP, if there is an endpoint. Without one, nothing of it is even loaded. */
export async function startTelemetry(settings: TelemetrySettings): Promise<Telemetry> {
  const { endpoint } = settings;
  if (endpoint === undefined) return { tellFaults: () => {}, [Symbol.asyncDispose]: async () => {} };
  const { startOtlp } = await import('./otlp.ts');
  return startOtlp({ ...settings, endpoint });
}

import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

// Names under which secrets could reach a log line by accident, at the first two levels.
const secretNames = ['authorization', 'password', 'token', 'access_token', 'secret', 'cookie', 'api_key'];

/** A JSON logger for one service. Values under names of secrets are replaced. */
export function createLogger(service: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service },
    redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
  };
  return destination ? pino(options, destination) : pino(options);
}

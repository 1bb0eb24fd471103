import { expect, test } from '@jest/globals';
import { createLogger } from '../logger.ts';
import { freePort } from '../testing/free-port.ts';
import { until } from '../testing/until.ts';
import { startTelemetry } from './start.ts';
import { inSpan, recordsSpans } from './tracing.ts';

test('a collector that is away holds up nobody, and is complained of once', async () => {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const lines: string[] = [];
  const log = createLogger('test', 'warn', { write: (line) => void lines.push(line) });
  const complaints = () => lines.filter((line) => line.includes('telemetry cannot be sent'));
  let stopping = 0;
  {
    await using telemetry = await startTelemetry({ service: 'test', endpoint, ratio: 1 });
    telemetry.tellFaults(log);
    for (let n = 0; n < 100; n++) await inSpan('a span', {}, async () => {});
    await until('a complaint', () => complaints().length > 0, 30_000);
    stopping = performance.now();
  }
  // Between the three seconds that stopping may take and a repetition without end there is much room.
  expect(performance.now() - stopping).toBeLessThan(15_000);
  expect(complaints()).toHaveLength(1);
  expect(recordsSpans()).toBe(false);
});

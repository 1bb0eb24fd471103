/**
 * What a span costs where nothing is recorded, beside the same without a span, and where spans are recorded for a collector; and what
 * taking secrets out of a log line costs. Run: node bench/telemetry.ts
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { redacted } from '@claude-cli/shared/redacted';
import { startTelemetry } from '@claude-cli/shared/telemetry/start';
import { inSpan, traced } from '@claude-cli/shared/telemetry/tracing';

/** Nanoseconds of one call: the least of some rounds, since whatever else the machine does only adds. */
async function cost(calls: number, run: () => unknown): Promise<number> {
  const rounds: number[] = [];
  for (let round = 0; round < 5; round++) {
    const started = process.hrtime.bigint();
    for (let call = 0; call < calls; call++) await run();
    rounds.push(Number(process.hrtime.bigint() - started) / calls);
  }
  return Math.min(...rounds);
}

const tell = (what: string, ns: number) => console.log(`${what.padEnd(44)} ${ns.toFixed(0).padStart(7)} ns`);
const work = async () => 1;
const place = { kind: 'server', attributes: { 'rpc.system': 'grpc' } } as const;
const line = `${JSON.stringify({ level: 30, time: Date.now(), service: 'gateway', request_id: 'x'.repeat(36), method: 'GET', route: '/api/tasks/{task_id}', status: 200, ms: 3.4, msg: 'request' })}\n`;

tell('nothing', await cost(1_000_000, work));
tell('in a span, nothing is recorded', await cost(1_000_000, () => inSpan('x', place, work)));
tell('the place of an event, nothing is recorded', await cost(1_000_000, traced));
tell(`secrets taken out of a line of ${line.length} bytes`, await cost(200_000, () => redacted(line)));

const collector = createServer((request, response) => request.resume().once('end', () => response.end('{}')));
await once(collector.listen(0, '127.0.0.1'), 'listening');
const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
const telemetry = await startTelemetry({ service: 'bench', endpoint, ratio: 1 });
tell('in a span that is recorded', await cost(50_000, () => inSpan('x', place, work)));
tell('the place of an event, spans are recorded', await inSpan('x', place, () => cost(200_000, traced)));
await telemetry[Symbol.asyncDispose]();
collector.close();

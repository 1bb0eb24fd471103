import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { PlatformError } from '../errors.ts';
import { newEvent } from '../events.ts';
import {
  inShortSpan,
  inSpan,
  inSpanOf,
  keepTrace,
  noteSpan,
  openSpanOf,
  recordSpans,
  traced,
  traceparent,
} from './tracing.ts';

const facts = { session_id: 's', user_id: 'u' };
const newTold = () => newEvent('session.created', { actor: 'u', project_id: null }, facts);

describe('while nothing is recorded', () => {
  test('what is inside of a span runs, and nothing carries a place', async () => {
    expect(await inSpan('a', {}, async () => [traceparent(), traced(), 'traceparent' in newTold()])).toEqual([
      undefined,
      {},
      false,
    ]);
    const run = () => 1;
    expect(keepTrace(run)).toBe(run);
    await expect(inSpan('a', {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });
});

describe('while spans are recorded', () => {
  const exporter = new InMemorySpanExporter();

  beforeAll(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    propagation.setGlobalPropagator(new W3CTraceContextPropagator());
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    recordSpans(true);
  });
  beforeEach(() => exporter.reset());
  afterAll(() => recordSpans(false));

  const named = (name: string): ReadableSpan => {
    const found = exporter.getFinishedSpans().find((span) => span.name === name);
    if (!found) throw new Error(`no span ${name}`);
    return found;
  };
  const placeOf = (name: string) => {
    const { traceId, spanId } = named(name).spanContext();
    return `00-${traceId}-${spanId}-01`;
  };

  test('what is stored carries its place, and what comes of it later is part of the trace', async () => {
    const event = await inSpan('cause', {}, async () => newTold());
    expect(event.traceparent).toBe(placeOf('cause'));
    await inSpan('effect', { parent: event.traceparent, root: true }, async () => {});
    expect(named('effect').parentSpanContext?.spanId).toBe(named('cause').spanContext().spanId);
    expect(named('effect').spanContext().traceId).toBe(named('cause').spanContext().traceId);
  });

  test('links lead to other traces; places that are not known are left out', async () => {
    const other = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    await inSpan('linked', { root: true, links: [other, undefined] }, async () => {});
    expect(named('linked').links.map(({ context: { traceId } }) => traceId)).toEqual(['a'.repeat(32)]);
  });

  test.each([
    '',
    'garbage',
    `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-${'0'.repeat(16)}-01`,
    `00-${'A'.repeat(32)}-${'b'.repeat(16)}-01`,
    `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01-more`,
  ])('the place "%s" is none', async (parent) => {
    await inSpan('alone', { parent, root: true, links: [parent] }, async () => {});
    expect([named('alone').parentSpanContext, named('alone').links]).toEqual([undefined, []]);
  });

  test('a trace that is not recorded stays so where it is taken up again', async () => {
    const unrecorded = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`;
    const onwards = await inSpan('unrecorded', { parent: unrecorded }, async () => traceparent());
    expect(onwards).toMatch(new RegExp(`^00-${'a'.repeat(32)}-[0-9a-f]{16}-00$`));
    expect(exporter.getFinishedSpans()).toEqual([]);
  });

  test('the headers of a request name the trace', async () => {
    const headers = { traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01` };
    await inSpanOf(headers, 'GET /x', { kind: 'server' }, async () => {});
    expect(named('GET /x').spanContext().traceId).toBe('c'.repeat(32));
  });

  test('of a failure the code is told, and nothing that might be secret', async () => {
    const failure = new PlatformError('TASK_NOT_FOUND', 'the secret message', { secret: 'details' });
    await expect(inSpan('failing', {}, () => Promise.reject(failure))).rejects.toBe(failure);
    const { attributes, status, events } = named('failing');
    expect(attributes).toEqual({ 'error.type': 'TASK_NOT_FOUND' });
    expect(JSON.stringify([status, events])).not.toContain('secret');
  });

  test('what is called later belongs to the trace in which it was made', async () => {
    const later = await inSpan('making', {}, async () => keepTrace(() => traceparent()));
    expect(later()).toBe(placeOf('making'));
  });

  test('a span that is ended by hand is known by the name that it has then', () => {
    const headers = { traceparent: `00-${'e'.repeat(32)}-${'f'.repeat(16)}-01` };
    const span = openSpanOf(headers, 'request', { kind: 'server' });
    let inside: string | undefined;
    span.run(() => {
      inside = traceparent();
    });
    span.end('GET /x', { 'http.response.status_code': 503 }, true);
    expect(inside).toBe(placeOf('GET /x'));
    expect(named('GET /x')).toMatchObject({
      attributes: { 'http.response.status_code': 503 },
      parentSpanContext: { traceId: 'e'.repeat(32) },
      status: { code: SpanStatusCode.ERROR },
    });
  });

  test('what does not wait has spans as well, and a time that is over is noted with its length', () => {
    inShortSpan('push', { kind: 'producer' }, () => noteSpan('waited', new Date(Date.now() - 5_000), {}));
    const { duration, parentSpanContext } = named('waited');
    expect(duration[0]).toBeGreaterThanOrEqual(4);
    expect(parentSpanContext?.spanId).toBe(named('push').spanContext().spanId);
  });
});

import {
  type Attributes,
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  type Link,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { PlatformError } from '../errors.ts';

// One trace follows a request through everything that it causes. Where something is stored meanwhile, its place in the trace is
// stored with it as a W3C traceparent: with outbox entries, events, executions and deliveries. Where time passes between the
// two, such as in a queue, the later one is a child of the same trace and has a link to what set it off.

const tracer = trace.getTracer('claude-cli-platform');
const unrecorded = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;
let isOn = false;

/** How a span is related to others. */
export interface SpanPlace {
  kind?: keyof typeof kinds;
  /** The traceparent that it is a child of. Without one: of the span that is active, or of none when `root` is set. */
  parent?: string | undefined;
  root?: boolean;
  /** Traceparents of what led to it, some time ago or in another trace; those that are not known are left out. */
  links?: readonly (string | undefined)[];
  /** Never a secret, and nothing that users have written. */
  attributes?: Attributes;
}

/** A span that something runs in. */
export type ActiveSpan = Pick<Span, 'setAttribute'>;

/** Spans are recorded from now on, or no more. Until then they cost nothing: what is inside of them just runs. */
export function recordSpans(is: boolean): void {
  isOn = is;
}

/** Whether spans are recorded. */
export function recordsSpans(): boolean {
  return isOn;
}

/** The place of the active span, to be stored with what it causes; undefined when there is none. */
export function traceparent(): string | undefined {
  return isOn ? formatted(trace.getActiveSpan()?.spanContext()) : undefined;
}

/** What an object that is stored carries of the trace; nothing when there is none. */
export function traced(): { traceparent?: string } {
  const here = traceparent();
  return here === undefined ? {} : { traceparent: here };
}

/** Run something inside a span; a throw marks the span as failed. */
export function inSpan<Result>(name: string, place: SpanPlace, run: (span: Span) => Promise<Result>): Promise<Result> {
  return isOn ? spanning(name, place, contextOf(place), run) : run(unrecorded);
}

/** The same, as part of the trace that the headers of a request or a message carry. */
export function inSpanOf<Result>(
  headers: object,
  name: string,
  place: SpanPlace,
  run: (span: Span) => Promise<Result>,
): Promise<Result> {
  if (!isOn) return run(unrecorded);
  return spanning(name, place, propagation.extract(context.active(), headers), run);
}

/** Run something that does not wait inside a span. */
export function inShortSpan(name: string, place: SpanPlace, run: () => void): void {
  if (!isOn) {
    run();
    return;
  }
  const parent = contextOf(place);
  const span = tracer.startSpan(name, optionsOf(place), parent);
  try {
    context.with(trace.setSpan(parent, span), run);
  } finally {
    span.end();
  }
}

/**
 * Begin a span inside of the active one.
 * @returns what ends it, with what is to be told of a failure if it failed; undefined when the active one is not recorded, or
 * there is none
 */
export function beginInnerSpan(name: string, place: SpanPlace): ((failure?: Attributes) => void) | undefined {
  if (!isOn || !trace.getActiveSpan()?.isRecording()) return undefined;
  const span = tracer.startSpan(name, optionsOf(place));
  return (failure) => {
    if (failure) span.setAttributes(failure).setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  };
}

/** A span that lasts until it is said to end. */
export interface OpenSpan {
  /** Run something inside of it. */
  run(inside: () => void): void;
  /** It is over. @param name what it is known by then */
  end(name: string, attributes: Attributes, hasFailed: boolean): void;
}

const unrecordedOpen: OpenSpan = { run: (inside) => inside(), end: () => {} };

/** Begin a span, as part of the trace that the headers of a request carry. */
export function openSpanOf(headers: object, name: string, place: SpanPlace): OpenSpan {
  if (!isOn) return unrecordedOpen;
  const parent = propagation.extract(context.active(), headers);
  const span = tracer.startSpan(name, optionsOf(place), parent);
  const within = trace.setSpan(parent, span);
  return {
    run: (inside) => context.with(within, inside),
    end: (known, attributes, hasFailed) => {
      span.updateName(known).setAttributes(attributes);
      if (hasFailed) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
    },
  };
}

/** Note a time that is over now. @param since when it began */
export function noteSpan(name: string, since: Date, place: SpanPlace): void {
  if (isOn) tracer.startSpan(name, { ...optionsOf(place), startTime: since }, contextOf(place)).end();
}

/** What is called later, by whomever, belongs to the trace that is active now. */
export function keepTrace<Args extends unknown[], Result>(run: (...args: Args) => Result): (...args: Args) => Result {
  return isOn ? context.bind(context.active(), run) : run;
}

async function spanning<Result>(
  name: string,
  place: SpanPlace,
  parent: Context,
  run: (span: Span) => Promise<Result>,
): Promise<Result> {
  const span = tracer.startSpan(name, optionsOf(place), parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => run(span));
  } catch (thrown) {
    span.setAttribute('error.type', PlatformError.from(thrown).code);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw thrown;
  } finally {
    span.end();
  }
}

function optionsOf({ kind = 'internal', links = [], attributes = {} }: SpanPlace): SpanOptions {
  return { kind: kinds[kind], attributes, links: links.flatMap(linkTo) };
}

function contextOf({ parent, root = false }: SpanPlace): Context {
  const found = parsed(parent);
  if (found) return trace.setSpanContext(ROOT_CONTEXT, found);
  return root ? ROOT_CONTEXT : context.active();
}

function linkTo(place: string | undefined): Link[] {
  const found = parsed(place);
  return found ? [{ context: found }] : [];
}

function formatted(place: SpanContext | undefined): string | undefined {
  return place && `00-${place.traceId}-${place.spanId}-0${place.traceFlags & 1}`;
}

const form = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

function parsed(text: string | undefined): SpanContext | undefined {
  const [, traceId, spanId, flags] = form.exec(text ?? '') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}

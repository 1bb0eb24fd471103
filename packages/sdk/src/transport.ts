import { ApiError } from './errors.ts';
import { retryAfterOf } from './retry.ts';

/** A request as it goes over the wire. */
export interface WireRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | undefined;
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/** Why there is no success. */
export interface Failed {
  error: ApiError;
  retryAfterMs: number | undefined;
}

/** What came back: the data of a success, or why there is none. */
export type WireAnswer = { data: unknown } | Failed;

interface Envelope {
  data: unknown;
  error: { code: string; message: string; details?: Record<string, unknown> } | null;
  meta?: { request_id?: string };
}

/** One attempt. @throws the signal's reason when it aborts; everything else is an answer */
export function exchange(fetcher: typeof fetch, request: WireRequest): Promise<WireAnswer> {
  return within(request, async (signal) => {
    const response = await send(fetcher, request, signal);
    return answerOf(response, await response.text());
  });
}

/**
 * One attempt to open a stream. Time and signal hold until it has begun.
 * @throws the signal's reason when it aborts; everything else is an answer
 */
export function openExchange(fetcher: typeof fetch, request: WireRequest): Promise<{ response: Response } | Failed> {
  return within(request, async (signal) => {
    const response = await send(fetcher, request, signal);
    if (response.ok) return { response };
    const answer = answerOf(response, await response.text());
    return 'error' in answer ? answer : { response };
  });
}

function send(fetcher: typeof fetch, { method, url, headers, body }: WireRequest, signal: AbortSignal) {
  return fetcher(url, { method, headers, signal, ...(body ? { body } : {}) });
}

async function within<Answer extends object>(
  { method, url, timeoutMs, signal }: WireRequest,
  run: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer | Failed> {
  signal?.throwIfAborted();
  const attempt = new AbortController();
  const onAbort = () => attempt.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => attempt.abort(), timeoutMs);
  try {
    return await run(attempt.signal);
  } catch (cause) {
    signal?.throwIfAborted();
    const [code, message] = attempt.signal.aborted
      ? ['TIMEOUT', `No answer within ${timeoutMs} ms`]
      : ['NETWORK_ERROR', 'The platform cannot be reached'];
    return { error: new ApiError(`${message}: ${method} ${url}`, { code, cause }), retryAfterMs: undefined };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function answerOf({ ok, status, headers }: Response, text: string): WireAnswer {
  const retryAfterMs = retryAfterOf(headers.get('retry-after'));
  const header = headers.get('x-request-id') ?? undefined;
  const envelope = read(text);
  if (ok && envelope && !envelope.error) return { data: envelope.data };
  const requestId = envelope?.meta?.request_id ?? header;
  if (!envelope?.error) {
    const message = `The answer with status ${status} is not one of the platform`;
    return { error: new ApiError(message, { code: 'INVALID_RESPONSE', status, requestId }), retryAfterMs };
  }
  const { code, message, details = {} } = envelope.error;
  return { error: new ApiError(message, { code, status, details, requestId }), retryAfterMs };
}

function read(text: string): Envelope | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'error' in value ? (value as Envelope) : undefined;
  } catch {
    return undefined;
  }
}

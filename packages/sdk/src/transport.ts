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

/** What came back: the data of a success, or why there is none. */
export type WireAnswer = { data: unknown } | { error: ApiError; retryAfterMs: number | undefined };

interface Envelope {
  data: unknown;
  error: { code: string; message: string; details?: Record<string, unknown> } | null;
  meta?: { request_id?: string };
}

/** One attempt. @throws the signal's reason when it aborts; everything else is an answer */
export async function exchange(fetcher: typeof fetch, request: WireRequest): Promise<WireAnswer> {
  const { method, url, headers, body, timeoutMs, signal } = request;
  signal?.throwIfAborted();
  const attempt = new AbortController();
  const onAbort = () => attempt.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => attempt.abort(), timeoutMs);
  try {
    const response = await fetcher(url, { method, headers, signal: attempt.signal, ...(body ? { body } : {}) });
    return answerOf(response, await response.text());
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

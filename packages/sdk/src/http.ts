import { camelCased, snakeCased } from './case.ts';
import type { CallOptions, Operation } from './operation.ts';
import { pause, randomId, unlessAborted } from './pause.ts';
import type { Caller } from './resource.ts';
import { isRetryable, pauseMs, type RetryRules } from './retry.ts';
import type { Tokens } from './tokens.ts';
import { exchange, type Failed, openExchange, type WireRequest } from './transport.ts';

/** What calls are made with. */
export interface HttpSettings {
  /** Without a slash at its end. */
  baseURL: string;
  fetch: typeof fetch;
  tokens: Tokens;
  timeoutMs: number;
  retries: RetryRules;
  sessionId: string | undefined;
}

/** Makes calls: with a token, a bound on time, and repetitions where those do no harm. */
export class Http implements Caller {
  readonly #settings: HttpSettings;

  constructor(settings: HttpSettings) {
    this.#settings = settings;
  }

  async call(operation: Operation, path: readonly string[], request: object = {}, options: CallOptions = {}) {
    const { fetch: fetcher } = this.#settings;
    const wire = this.#wireRequest(operation, path, request, options);
    const repeatable = operation.keyed || operation.verb === 'GET';
    const { data } = await this.#attempts(wire, repeatable, (attempt) => exchange(fetcher, attempt));
    return camelCased(data, operation.answer);
  }

  /**
   * Open an event stream; what comes then is up to whoever reads it.
   * @param path below the base URL
   * @param lastId of the last event that was received
   * @throws ApiError when it is refused
   */
  async open(path: string, options: CallOptions, lastId: string | undefined): Promise<Response> {
    const { baseURL, fetch: fetcher, timeoutMs } = this.#settings;
    const headers = {
      Accept: 'text/event-stream',
      ...this.#headersOf(options),
      ...(lastId === undefined ? {} : { 'Last-Event-ID': lastId }),
    };
    const about = { timeoutMs: options.timeoutMs ?? timeoutMs, signal: options.signal, body: undefined };
    const wire: WireRequest = { method: 'GET', url: baseURL + path, headers, ...about };
    return (await this.#attempts(wire, true, (attempt) => openExchange(fetcher, attempt))).response;
  }

  /** Wait before something is tried again. @param failed attempts so far, from 1 */
  pause(failed: number, signal: AbortSignal | undefined): Promise<void> {
    return pause(pauseMs(this.#settings.retries, failed), signal);
  }

  /** Attempts with a token, and with another one when that is refused. @throws ApiError */
  async #attempts<Answer extends object>(wire: WireRequest, repeatable: boolean, attempt: Attempt<Answer>) {
    const { tokens } = this.#settings;
    let token = await unlessAborted(tokens.current(), wire.signal);
    let answer = await this.#repeated(withToken(wire, token), repeatable, attempt);
    if (isFailed(answer) && answer.error.status === 401) {
      token = await unlessAborted(tokens.instead(token), wire.signal);
      if (token !== undefined) answer = await this.#repeated(withToken(wire, token), repeatable, attempt);
    }
    if (isFailed(answer)) throw answer.error;
    return answer;
  }

  /** An attempt and its repetitions, within the bounds of the rules. */
  async #repeated<Answer extends object>(wire: WireRequest, repeatable: boolean, attempt: Attempt<Answer>) {
    const { retries } = this.#settings;
    const deadline = Date.now() + retries.totalMs;
    for (let failed = 1; ; failed++) {
      const timeoutMs = Math.max(1, Math.min(wire.timeoutMs, deadline - Date.now()));
      const answer = await attempt({ ...wire, timeoutMs });
      if (!isFailed(answer) || failed >= retries.attempts) return answer;
      const { error, retryAfterMs } = answer;
      if (!isRetryable({ ...error, retryAfterMs }, repeatable)) return answer;
      const wait = pauseMs(retries, failed, retryAfterMs);
      if (Date.now() + wait >= deadline) return answer;
      await pause(wait, wire.signal);
    }
  }

  #headersOf(options: CallOptions): Record<string, string> {
    const session = options.sessionId ?? this.#settings.sessionId;
    return {
      ...(session === undefined ? {} : { 'X-Session-ID': session }),
      ...(options.requestId === undefined ? {} : { 'X-Request-ID': options.requestId }),
    };
  }

  #wireRequest(operation: Operation, path: readonly string[], request: object, options: CallOptions): WireRequest {
    const { baseURL, timeoutMs } = this.#settings;
    const fields = Object.entries(snakeCased(request, operation.request) as Record<string, unknown>);
    const body = fields.filter(([name, value]) => !operation.query.includes(name) && value !== undefined);
    // Endpoints without a body refuse one; those that may have one are asked with what there is.
    const hasBody = body.length > 0;
    return {
      method: operation.verb,
      url:
        baseURL + filled(operation.path, path) + queryText(fields.filter(([name]) => operation.query.includes(name))),
      headers: {
        Accept: 'application/json',
        ...(hasBody ? { 'Content-Type': 'application/json' } : {}),
        ...this.#headersOf(options),
        ...(operation.keyed ? { 'Idempotency-Key': options.idempotencyKey ?? randomId() } : {}),
      },
      body: hasBody ? JSON.stringify(Object.fromEntries(body)) : undefined,
      timeoutMs: options.timeoutMs ?? timeoutMs,
      signal: options.signal,
    };
  }
}

type Attempt<Answer> = (wire: WireRequest) => Promise<Answer | Failed>;

function withToken(wire: WireRequest, token: string | undefined): WireRequest {
  if (token === undefined) return wire;
  return { ...wire, headers: { ...wire.headers, Authorization: `Bearer ${token}` } };
}

function isFailed(answer: object | Failed): answer is Failed {
  return 'error' in answer;
}

function filled(path: string, values: readonly string[]): string {
  const left = [...values];
  return path.replace(/\{\w+\}/g, () => {
    const value = left.shift();
    if (!value) throw new TypeError(`An id is missing for ${path}`);
    return encodeURIComponent(value);
  });
}

function queryText(fields: readonly [string, unknown][]): string {
  const query = new URLSearchParams();
  for (const [name, value] of fields) {
    if (value !== undefined && value !== null) query.set(name, Array.isArray(value) ? value.join(',') : String(value));
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

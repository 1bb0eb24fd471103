import { camelCased, snakeCased } from './case.ts';
import type { CallOptions, Operation } from './operation.ts';
import { pause, randomId, unlessAborted } from './pause.ts';
import type { Caller } from './resource.ts';
import { isRetryable, pauseMs, type RetryRules } from './retry.ts';
import type { Tokens } from './tokens.ts';
import { exchange, type WireRequest } from './transport.ts';

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
    const { tokens } = this.#settings;
    const wire = this.#wireRequest(operation, path, request, options);
    let token = await unlessAborted(tokens.current(), options.signal);
    let answer = await this.#attempts(wire, token, operation);
    if ('error' in answer && answer.error.status === 401) {
      token = await unlessAborted(tokens.instead(token), options.signal);
      if (token !== undefined) answer = await this.#attempts(wire, token, operation);
    }
    if ('error' in answer) throw answer.error;
    return camelCased(answer.data, operation.answer);
  }

  async #attempts(wire: WireRequest, token: string | undefined, { keyed, verb }: Operation) {
    const { fetch: fetcher, retries } = this.#settings;
    const headers = { ...wire.headers, ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }) };
    const deadline = Date.now() + retries.totalMs;
    for (let failed = 1; ; failed++) {
      const timeoutMs = Math.max(1, Math.min(wire.timeoutMs, deadline - Date.now()));
      const answer = await exchange(fetcher, { ...wire, headers, timeoutMs });
      if (!('error' in answer) || failed >= retries.attempts) return answer;
      const { error, retryAfterMs } = answer;
      if (!isRetryable({ ...error, retryAfterMs }, keyed || verb === 'GET')) return answer;
      const wait = pauseMs(retries, failed, retryAfterMs);
      if (Date.now() + wait >= deadline) return answer;
      await pause(wait, wire.signal);
    }
  }

  #wireRequest(operation: Operation, path: readonly string[], request: object, options: CallOptions): WireRequest {
    const { baseURL, timeoutMs, sessionId } = this.#settings;
    const fields = Object.entries(snakeCased(request, operation.request) as Record<string, unknown>);
    const body = fields.filter(([name, value]) => !operation.query.includes(name) && value !== undefined);
    const session = options.sessionId ?? sessionId;
    // Endpoints without a body refuse one; those that may have one are asked with what there is.
    const hasBody = body.length > 0;
    return {
      method: operation.verb,
      url:
        baseURL + filled(operation.path, path) + queryText(fields.filter(([name]) => operation.query.includes(name))),
      headers: {
        Accept: 'application/json',
        ...(hasBody ? { 'Content-Type': 'application/json' } : {}),
        ...(session === undefined ? {} : { 'X-Session-ID': session }),
        ...(options.requestId === undefined ? {} : { 'X-Request-ID': options.requestId }),
        ...(operation.keyed ? { 'Idempotency-Key': options.idempotencyKey ?? randomId() } : {}),
      },
      body: hasBody ? JSON.stringify(Object.fromEntries(body)) : undefined,
      timeoutMs: options.timeoutMs ?? timeoutMs,
      signal: options.signal,
    };
  }
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

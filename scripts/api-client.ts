/** The envelope around every answer. */
export interface Envelope {
  data: unknown;
  error: { code: string; message: string; details: Record<string, unknown> } | null;
  meta: { timestamp: string; request_id: string; version: string };
}

/** An answer of the public API. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Envelope;
}

const defaultTimeoutMs = 20_000;

/** Speaks to the public door as any front end does. */
export class ApiClient {
  readonly url: string;
  readonly token: string | undefined;

  constructor(url: string, token?: string) {
    this.url = url;
    this.token = token;
  }

  /** The same door with a token. */
  as(token: string): ApiClient {
    return new ApiClient(this.url, token);
  }

  /** Send a request and read the answer, whatever its status. A string body is sent as it is. */
  async request(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(this.token ? { authorization: `Bearer ${this.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      signal: AbortSignal.timeout(defaultTimeoutMs),
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parse(method, path, response.status, text) };
  }

  /** The data of a successful answer. @throws Error that tells the refusal */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.request(method, path, body);
    const { data, error } = answer.body;
    if (answer.status >= 300 || error) {
      const details = error ? `${error.code}: ${error.message} ${JSON.stringify(error.details)}` : JSON.stringify(data);
      throw new Error(`${method} ${path} answered ${answer.status} ${details}`);
    }
    return data as T;
  }
}

function parse(method: string, path: string, status: number, text: string): Envelope {
  try {
    return JSON.parse(text) as Envelope;
  } catch {
    throw new Error(`${method} ${path} answered ${status} with something that is not JSON: ${text.slice(0, 200)}`);
  }
}

import { StreamingCommands } from './command-stream.ts';
import { Resources } from './gen/resources.ts';
import { Http } from './http.ts';
import { LiveConnection } from './live.ts';
import type { WebSocketConstructor } from './live-socket.ts';
import { defaultRetries, type RetryRules } from './retry.ts';
import { type Credentials, signIn } from './sign-in.ts';
import { type TokenProvider, Tokens } from './tokens.ts';

/** How a client is made. */
export interface ClientOptions {
  /** Address of the API, such as `http://localhost:8000/api`. */
  baseURL: string;
  /** A JWT or an API key, or a function that gives one whenever another is needed. */
  token?: string | TokenProvider | undefined;
  /** Instead of a token: sign in when one is needed, and refresh it before it expires. */
  credentials?: Credentials | undefined;
  /** Session in which calls happen. */
  sessionId?: string | undefined;
  /** Milliseconds that one attempt of a call may take: 30,000 when absent. */
  timeoutMs?: number | undefined;
  /** When calls are repeated; what is absent is as in `defaultRetries`. */
  retries?: Partial<RetryRules> | undefined;
  /** Instead of the global fetch. */
  fetch?: typeof fetch | undefined;
  /** Instead of the global WebSocket. Node before 22 has none: give that of the package `ws`. */
  WebSocket?: WebSocketConstructor | undefined;
}

/** A client of the platform. Calls may be made at the same time, from anywhere. */
export class ClaudeCliClient extends Resources {
  override readonly commands: StreamingCommands;
  /** Live updates. */
  readonly websocket: {
    /** Connect to the live updates of a session. Returns at once: what is asked for meanwhile waits for the connection. */
    connect(sessionId: string): LiveConnection;
  };

  constructor(options: ClientOptions) {
    const { token, credentials, timeoutMs = 30_000, sessionId } = options;
    if (token !== undefined && credentials) throw new TypeError('Give a token or credentials, not both');
    const baseURL = options.baseURL.replace(/\/+$/, '');
    const fetcher: typeof fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
    const retries = { ...defaultRetries, ...options.retries };
    const common = { baseURL, fetch: fetcher, timeoutMs, retries };
    const tokens = new Tokens(credentials ? signIn(common, credentials) : token);
    const http = new Http({ ...common, tokens, sessionId });
    super(http);
    const connect = (id: string) => {
      const { WebSocket = globalThis.WebSocket as WebSocketConstructor | undefined } = options;
      if (!WebSocket) throw new TypeError('There is no WebSocket here: give one, such as that of the package ws');
      const url = `${baseURL.replace(/^http/, 'ws').replace(/\/api$/, '')}/ws/${encodeURIComponent(id)}`;
      return new LiveConnection({ url, WebSocket, tokens, attempts: 20, firstMs: 250, mostMs: 30_000 });
    };
    this.websocket = { connect };
    this.commands = new StreamingCommands(http);
  }
}

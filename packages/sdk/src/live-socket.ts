import { pauseMs } from './retry.ts';
import type { Tokens } from './tokens.ts';

/** A WebSocket as browsers have it; the package `ws` has it, too. */
export interface WebSocketLike {
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
}

/** Makes WebSockets. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** What a live connection is made with. */
export interface LiveSocketSettings {
  url: string;
  WebSocket: WebSocketConstructor;
  tokens: Tokens;
  /** Failures in a row after which it is given up. */
  attempts: number;
  /** Longest first and longest pause between them, in milliseconds. */
  firstMs: number;
  mostMs: number;
}

/** Who is told. */
export interface LiveSocketListener {
  onMessage(message: Record<string, unknown>): void;
  /** Authenticated, after so many failed attempts and losses; 0 the first time. */
  onReady(attempts: number): void;
  onLost(code: number, reason: string): void;
  onEnd(code: number, reason: string): void;
}

/** A connection that is made again when it is lost. */
export interface LiveSocket {
  /** Send now, or, within a bound, when the connection is there. */
  send(message: object): void;
  close(): void;
}

/** How long connecting and authenticating may take, and how often a silent connection is asked whether it lives. */
const readyMs = 15_000;
const beatMs = 20_000;
/** Longest pause that a side that restarts may ask for, in milliseconds. */
const longestRestartMs = 30_000;
/** Messages that wait for the connection. */
const mostQueued = 1_000;
/** Refused for good: a foreign or expired session, a disabled account, too many connections. */
const finalCodes = [4403, 4429];

/** When to come back, as a side that restarts has asked; undefined when it has not. */
function restartPauseMs(code: number, reason: string): number | undefined {
  if (code !== 1012) return undefined;
  try {
    const { retry_after_ms } = JSON.parse(reason) as { retry_after_ms?: unknown };
    return typeof retry_after_ms === 'number' ? Math.min(Math.max(0, retry_after_ms), longestRestartMs) : undefined;
  } catch {
    return undefined;
  }
}

/** Connect, and stay connected. */
export function openSocket(settings: LiveSocketSettings, listener: LiveSocketListener): LiveSocket {
  const { tokens } = settings;
  let socket: WebSocketLike | undefined;
  let ready = false;
  let everReady = false;
  let ended = false;
  let failures = 0;
  let refusals = 0;
  let heard = 0;
  let queue: object[] = [];
  const timers = new Set<ReturnType<typeof setTimeout>>();

  const after = (ms: number, run: () => void) => {
    const timer = setTimeout(
      () => {
        timers.delete(timer);
        run();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    timers.add(timer);
  };
  const quieten = () => {
    for (const timer of timers) clearTimeout(timer);
    timers.clear();
  };
  const end = (code: number, reason: string) => {
    if (ended) return;
    ended = true;
    quieten();
    queue = [];
    if (socket && socket.readyState < 2) socket.close(1000);
    listener.onEnd(code, reason);
  };
  const write = (message: object) => socket?.send(JSON.stringify(message));

  const lost = async (own: WebSocketLike | undefined, code: number, reason: string) => {
    if (ended || own !== socket) return;
    quieten();
    socket = undefined;
    const wasReady = ready;
    ready = false;
    failures += 1;
    if (code === 4401) refusals += 1;
    // A refused token is replaced once; a second refusal in a row, or no other token, ends it.
    const hopeless = code === 4401 && (refusals > 1 || !tokens.renewable);
    if (finalCodes.includes(code) || hopeless || failures >= settings.attempts) return end(code, reason);
    if (wasReady) listener.onLost(code, reason);
    after(restartPauseMs(code, reason) ?? pauseMs(settings, failures), () => void connect(code === 4401));
  };

  const beat = (own: WebSocketLike) => {
    if (own !== socket) return;
    const silentMs = Date.now() - heard;
    if (silentMs > beatMs * 2) {
      own.close(4000, 'no sign of life');
      return void lost(own, 4000, 'no sign of life');
    }
    if (silentMs >= beatMs) write({ type: 'ping', timestamp: Date.now() });
    after(beatMs, () => beat(own));
  };
  const renew = async (own: WebSocketLike) => {
    if (!tokens.renewable) return;
    try {
      const token = await tokens.current();
      if (own === socket) write({ type: 'authenticate', token });
    } catch {
      // The present token is good for a while; when it is not, the connection is made again with another.
    }
  };

  const received = (own: WebSocketLike, text: string) => {
    if (own !== socket || ended) return;
    heard = Date.now();
    const message = JSON.parse(text) as Record<string, unknown>;
    if (message.type === 'authenticated') {
      if (tokens.renewAt !== Number.POSITIVE_INFINITY) {
        after(Math.max(1_000, tokens.renewAt - Date.now()), () => void renew(own));
      }
      if (!ready) {
        const attempts = everReady ? failures : 0;
        ready = true;
        everReady = true;
        failures = 0;
        refusals = 0;
        for (const waiting of queue.splice(0)) write(waiting);
        listener.onReady(attempts);
        after(beatMs, () => beat(own));
      }
    }
    listener.onMessage(message);
  };

  const connect = async (refused = false) => {
    let own: WebSocketLike | undefined;
    try {
      const token = refused ? await tokens.instead(await tokens.current()) : await tokens.current();
      if (ended) return;
      own = new settings.WebSocket(settings.url);
      const opened = own;
      socket = opened;
      heard = Date.now();
      opened.addEventListener('open', () => opened.send(JSON.stringify({ type: 'authenticate', token: token ?? '' })));
      opened.addEventListener('message', ({ data }) => received(opened, String(data)));
      // Some implementations throw what nobody listens to; the close that follows says everything.
      opened.addEventListener('error', () => {});
      opened.addEventListener('close', ({ code, reason }) => void lost(opened, code, String(reason)));
      after(readyMs, () => {
        if (ready || opened !== socket) return;
        opened.close(4000, 'not ready in time');
        void lost(opened, 4000, 'not ready in time');
      });
    } catch (thrown) {
      await lost(own, 4000, thrown instanceof Error ? thrown.message : String(thrown));
    }
  };
  void connect();

  return {
    send(message) {
      if (ended) return;
      if (ready) write(message);
      else if (queue.length < mostQueued) queue.push(message);
    },
    close: () => end(1000, 'closed by the client'),
  };
}

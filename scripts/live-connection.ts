/** A message of the live connection. */
export interface LiveMessage {
  type: string;
  data?: Record<string, unknown>;
  [field: string]: unknown;
}

/** Which message is waited for. */
export interface Awaited {
  type: string;
  /** Further condition on it. */
  where?: (message: LiveMessage) => boolean;
  timeoutMs?: number;
  /** Sees every other message that comes meanwhile. */
  onOther?: (message: LiveMessage) => void;
}

const openTimeoutMs = 10_000;
const answerTimeoutMs = 20_000;

/** A WebSocket whose messages are kept until somebody takes them, so that none is missed between two waits. */
export class LiveConnection implements Disposable {
  readonly #socket: WebSocket;
  readonly #kept: LiveMessage[] = [];
  #wake: () => void = () => {};
  #closed: { code: number; reason: string } | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', (event) => {
      this.#kept.push(JSON.parse(String(event.data)));
      this.#wake();
    });
    socket.addEventListener('close', (event) => {
      this.#closed = { code: event.code, reason: event.reason };
      this.#wake();
    });
  }

  /** Connect to a session's live updates. @param url of the public door */
  static async open(url: string, sessionId: string): Promise<LiveConnection> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws/${sessionId}`);
    const connection = new LiveConnection(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`no WebSocket connection within ${openTimeoutMs / 1000} s`)),
      openTimeoutMs,
    );
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('the WebSocket connection was refused')));
    try {
      await promise;
      return connection;
    } catch (cause) {
      socket.close();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Send a message. */
  send(message: LiveMessage | string): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** Say who we are, and wait until that is accepted. */
  async authenticate(token: string): Promise<void> {
    this.send({ type: 'authenticate', token });
    await this.next({ type: 'authenticated' });
  }

  /** Ask for a channel of a project, and wait until it is granted. */
  async subscribe(channel: string, projectId: string): Promise<void> {
    this.send({ type: 'subscribe', channel, project_id: projectId });
    await this.next({ type: 'subscribed' });
  }

  /** The next message that is wanted; those before it are passed to `onOther` and dropped. */
  async next(wanted: Awaited): Promise<LiveMessage> {
    const deadline = Date.now() + (wanted.timeoutMs ?? answerTimeoutMs);
    for (;;) {
      for (let message = this.#kept.shift(); message; message = this.#kept.shift()) {
        if (message.type === wanted.type && (wanted.where?.(message) ?? true)) return message;
        if (message.type === 'error' && wanted.type !== 'error' && !wanted.onOther) {
          throw new Error(`the platform answered an error instead of ${wanted.type}: ${JSON.stringify(message.data)}`);
        }
        wanted.onOther?.(message);
      }
      if (this.#closed) {
        const { code, reason } = this.#closed;
        throw new Error(`the WebSocket was closed (${code} ${reason}) before ${wanted.type} arrived`);
      }
      if (!(await this.#somethingBefore(deadline))) {
        throw new Error(`no ${wanted.type} arrived within ${(wanted.timeoutMs ?? answerTimeoutMs) / 1000} s`);
      }
    }
  }

  /** How the other side closes the connection. */
  async closed(timeoutMs = answerTimeoutMs): Promise<{ code: number; reason: string }> {
    const deadline = Date.now() + timeoutMs;
    while (!this.#closed) {
      if (!(await this.#somethingBefore(deadline))) throw new Error(`not closed within ${timeoutMs / 1000} s`);
    }
    return this.#closed;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  /** Resolves with true when something arrives or the connection closes, with false when the time is over. */
  async #somethingBefore(deadline: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), Math.max(0, deadline - Date.now()));
    this.#wake = () => resolve(true);
    const arrived = await promise;
    clearTimeout(timer);
    return arrived;
  }
}

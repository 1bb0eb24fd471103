import { toCamel, toSnake } from './case.ts';
import { ApiError } from './errors.ts';
import type { Channel, LiveEvents, LiveMessage, Metric, Scope } from './live-messages.ts';
import { type LiveSocket, type LiveSocketSettings, openSocket } from './live-socket.ts';
import { LiveSubscriptions, type Wanted } from './live-subscriptions.ts';
import { randomId } from './pause.ts';

/** What hears messages of one type. */
export type Listener<Type extends string> = (
  data: Type extends keyof LiveEvents ? LiveEvents[Type] : Record<string, unknown>,
  message: LiveMessage,
) => void;

interface Waiting {
  message: object;
  /** Asking again does no harm. */
  repeatable: boolean;
  /** Done as the answer comes, before anything that comes after it. */
  onAnswer: (data: Record<string, unknown>) => void;
  resolve: (message: LiveMessage) => void;
  reject: (error: ApiError) => void;
  timer: ReturnType<typeof setTimeout>;
}

/** How long an answer to a message may take, in milliseconds, connecting again included. */
const answerMs = 30_000;
/** Messages that may wait for their answer. */
const mostWaiting = 1_000;

/**
 * Live updates of a session. Connects by itself, and again with growing pauses when the connection is lost, with the same
 * subscriptions. What happened while it was lost is told then, each message once; where the platform does not have it any
 * more, `reload` says what to load anew.
 */
export class LiveConnection {
  readonly #listeners = new Map<string, Set<Listener<string>>>();
  readonly #waiting = new Map<string, Waiting>();
  readonly #subscriptions = new LiveSubscriptions();
  readonly #socket: LiveSocket;
  #closed: ApiError | undefined;

  constructor(settings: LiveSocketSettings) {
    this.#socket = openSocket(settings, {
      onMessage: (message) => this.#receive(message),
      onReady: async (attempts) => this.#restore(attempts),
      onLost: (code, reason) => this.#lose(code, reason),
      onEnd: (code, reason) => this.#end(code, reason),
    });
  }

  /** Hear messages of a type. @returns ends that */
  on<Type extends keyof LiveEvents | (string & {})>(type: Type, listener: Listener<Type>): () => void {
    const own = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, own.add(listener as Listener<string>));
    return () => this.off(type, listener);
  }

  /** Hear them no more. */
  off<Type extends keyof LiveEvents | (string & {})>(type: Type, listener: Listener<Type>): void {
    this.#listeners.get(type)?.delete(listener as Listener<string>);
  }

  /**
   * Listen to a channel, now and after every reconnection. Resolves when nothing that happens later is missed. Need not be
   * awaited: a refusal is also told as `error`.
   * @throws ApiError
   */
  subscribe(channel: Channel, scope: Scope = {}): Promise<void> {
    const wanted = { channel, ...snake(scope) };
    this.#subscriptions.add(wanted);
    const granted = (data: Record<string, unknown>) => void this.#subscriptions.granted(wanted, data, false);
    return quiet(
      this.#ask({ type: 'subscribe', ...wanted }, { onAnswer: granted }).then(
        () => {},
        (thrown) => {
          if (thrown instanceof ApiError && thrown.status !== 0) this.#subscriptions.remove(wanted);
          throw thrown;
        },
      ),
    );
  }

  /** Listen no more. @throws ApiError */
  unsubscribe(channel: Channel, scope: Scope = {}): Promise<void> {
    const wanted = { channel, ...snake(scope) };
    this.#subscriptions.remove(wanted);
    return quiet(this.#ask({ type: 'unsubscribe', ...wanted }).then(() => {}));
  }

  /** Put a task into a queue, and hear of it. @throws ApiError */
  executeTask(
    taskId: string,
    request: { priority?: 'high' | 'normal' | 'low'; options?: { timeout?: number; retryAttempts?: number } } = {},
  ): Promise<LiveEvents['task_queued']> {
    const { priority, options } = request;
    const sent = { type: 'execute_task', task_id: taskId, priority, options: options && snake(options) };
    return quiet(this.#ask(sent, { repeatable: false }).then(({ data }) => data as LiveEvents['task_queued']));
  }

  /** Measure now; what is asked for besides the performance comes along. @throws ApiError */
  getMetrics(metrics: readonly Metric[] = ['performance']): Promise<LiveEvents['performance_data']> {
    const asked = this.#ask({ type: 'get_metrics', metrics });
    return quiet(asked.then(({ data }) => data as unknown as LiveEvents['performance_data']));
  }

  /** Milliseconds to the platform and back. @throws ApiError */
  ping(): Promise<number> {
    const start = performance.now();
    return quiet(this.#ask({ type: 'ping', timestamp: Date.now() }).then(() => performance.now() - start));
  }

  /** End the connection. */
  close(): void {
    this.#socket.close();
  }

  async #ask(
    asked: object,
    { repeatable = true, onAnswer = () => {} }: Partial<Pick<Waiting, 'repeatable' | 'onAnswer'>> = {},
  ): Promise<LiveMessage> {
    if (this.#closed) throw this.#closed;
    if (this.#waiting.size >= mostWaiting) {
      throw new ApiError('Too many messages wait for an answer', { code: 'RATE_LIMIT_EXCEEDED' });
    }
    const id = randomId();
    const message = { ...asked, request_id: id };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new ApiError(`No answer within ${answerMs} ms`, { code: 'TIMEOUT' }));
      }, answerMs);
      this.#waiting.set(id, { resolve, reject, timer, message, repeatable, onAnswer });
      this.#socket.send(message);
    });
  }

  #lose(code: number, reason: string): void {
    for (const [id, { repeatable, reject, timer }] of this.#waiting) {
      if (repeatable) continue;
      this.#waiting.delete(id);
      clearTimeout(timer);
      reject(new ApiError('The connection was lost before the answer came', { code: 'CONNECTION_CLOSED' }));
    }
    this.#emit('disconnected', { code, reason });
  }

  async #restore(attempts: number): Promise<void> {
    // The first time all is sent by those who asked.
    if (attempts === 0) return;
    for (const { message, repeatable } of this.#waiting.values()) if (repeatable) this.#socket.send(message);
    await Promise.allSettled(this.#subscriptions.again().map((each) => this.#subscribeAgain(each)));
    if (!this.#closed) this.#emit('reconnected', { attempts });
  }

  async #subscribeAgain({ wanted, request }: { wanted: Wanted; request: Wanted }): Promise<void> {
    const granted = (data: Record<string, unknown>) => {
      if (this.#subscriptions.granted(wanted, data, true)) this.#emit('reload', camel(wanted));
    };
    try {
      await this.#ask({ type: 'subscribe', ...request }, { onAnswer: granted });
    } catch (thrown) {
      // It is not asked again in vain, unless the connection was lost once more.
      if (thrown instanceof ApiError && thrown.status !== 0) this.#subscriptions.remove(wanted);
    }
  }

  #receive(received: Record<string, unknown>): void {
    if (!this.#subscriptions.hear(received)) return;
    if (received.type === 'caught_up') this.#subscriptions.caughtUp(received.data as Record<string, unknown>);
    const { type, data = {}, timestamp, request_id: requestId, epoch, seq } = received;
    const message = { type, data: camel(data as object), timestamp, requestId, epoch, seq } as LiveMessage;
    const waiting = this.#waiting.get(String(requestId));
    if (waiting) {
      this.#waiting.delete(String(requestId));
      clearTimeout(waiting.timer);
      if (type === 'error') waiting.reject(errorOf(message));
      else {
        waiting.onAnswer(data as Record<string, unknown>);
        waiting.resolve(message);
      }
    }
    this.#emit(message.type, message.data, message);
  }

  #emit(type: string, data: object, message?: LiveMessage): void {
    const told = data as Record<string, unknown>;
    for (const listener of [...(this.#listeners.get(type) ?? [])]) {
      listener(told as never, message ?? { type, data: told });
    }
  }

  #end(code: number, reason: string): void {
    this.#closed = new ApiError(`The live connection has ended: ${code} ${reason}`, {
      code: 'CONNECTION_CLOSED',
      details: { code, reason },
    });
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(this.#closed);
    }
    this.#waiting.clear();
    this.#emit('closed', { code, reason });
  }
}

function errorOf({ data, requestId }: LiveMessage): ApiError {
  const { code, message, details } = data as LiveEvents['error'];
  // There are no statuses here; one that is not 0 tells an answer from a lost connection.
  return new ApiError(message, { code, status: 400, requestId, ...(details ? { details } : {}) });
}

function camel(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [toCamel(name), value]));
}

function snake(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [toSnake(name), value]));
}

/** The same promise, whose failure harms nobody when nobody waits for it. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

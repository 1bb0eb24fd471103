import { setTimeout as delay } from 'node:timers/promises';

/** What a watcher heard of one task, or of nothing in particular. */
interface Heard {
  type: string;
  task_id: string | undefined;
  epoch: string;
  seq: number;
}

interface Message {
  type: string;
  data?: { task_id?: string; recovered?: boolean; epoch?: string; seq?: number; [field: string]: unknown };
  epoch?: string;
  seq?: number;
}

const answerWithinMs = 10_000;
const pauseMs = 100;

/**
 * Watches everything of a project over a raw WebSocket, comes back by itself whenever the connection ends, with the place that
 * it reached, and keeps what it heard.
 */
export class Watcher implements AsyncDisposable {
  /** In the order in which it came. */
  readonly heard: Heard[] = [];
  /** Codes with which connections were closed. */
  readonly closed: Record<string, number> = {};
  /** What must not happen: a place that is not known any more, a gap, an error. */
  readonly wrong: string[] = [];
  readonly #url: string;
  readonly #token: string;
  readonly #projectId: string;
  readonly #stop = new AbortController();
  readonly #places = new Map<string, number>();
  #socket: WebSocket | undefined;
  #watching: Promise<void> = Promise.resolve();

  private constructor(url: string, token: string, projectId: string) {
    this.#url = url;
    this.#token = token;
    this.#projectId = projectId;
  }

  /** Resolves when it hears everything that happens from now on. */
  static async start(url: string, sessionId: string, token: string, projectId: string): Promise<Watcher> {
    const watcher = new Watcher(`${url.replace(/^http/, 'ws')}/ws/${sessionId}`, token, projectId);
    const begun = Promise.withResolvers<void>();
    watcher.#watching = watcher.#watch(begun.resolve);
    await begun.promise;
    return watcher;
  }

  /** Tasks whose end was heard. */
  completed(): string[] {
    return this.heard.flatMap(({ type, task_id }) => (type === 'task_completed' && task_id ? [task_id] : []));
  }

  /** Numbers that lack between the first and the last that were heard, and those that came twice or in the wrong order. */
  irregular(): string[] {
    const last = new Map<string, number>();
    return this.heard.flatMap(({ epoch, seq, type }) => {
      const before = last.get(epoch);
      last.set(epoch, seq);
      return before === undefined || seq === before + 1 ? [] : [`${type} ${seq} after ${before}`];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#socket?.close();
    await this.#watching;
  }

  async #watch(onBegun: () => void): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const code = await this.#connection(onBegun).catch(() => 'not opened');
      this.closed[code] = (this.closed[code] ?? 0) + 1;
      await delay(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => {});
    }
  }

  /** One connection, from its beginning to its end. @returns the code with which it was closed */
  #connection(onBegun: () => void): Promise<string> {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<string>();
    const send = (message: object) => socket.send(JSON.stringify(message));
    // Who is not answered comes back as well.
    const timer = setTimeout(() => socket.close(), answerWithinMs);
    socket.addEventListener('open', () => send({ type: 'authenticate', token: this.#token }));
    socket.addEventListener('close', ({ code }) => {
      clearTimeout(timer);
      resolve(String(code));
    });
    socket.addEventListener('message', ({ data }) => {
      const message: Message = JSON.parse(String(data));
      if (message.type === 'authenticated') {
        const since = [...this.#places].map(([epoch, seq]) => ({ epoch, seq }));
        const about = { channel: 'project_updates', project_id: this.#projectId };
        send({ type: 'subscribe', ...about, ...(since.length > 0 ? { since } : {}) });
      } else if (message.type === 'subscribed') {
        clearTimeout(timer);
        this.#begin(message);
        onBegun();
      } else {
        this.#hear(message);
      }
    });
    return promise;
  }

  #begin({ data = {} }: Message): void {
    const { epoch, seq, recovered } = data;
    if (this.#places.size > 0 && recovered !== true) this.wrong.push('what was missed is not known any more');
    if (epoch !== undefined && seq !== undefined && !this.#places.has(epoch)) this.#places.set(epoch, seq);
  }

  #hear({ type, data, epoch, seq }: Message): void {
    if (type === 'gap' || (type === 'error' && seq === undefined)) this.wrong.push(`${type}: ${JSON.stringify(data)}`);
    // Output is numbered by its own run.
    if (epoch === undefined || seq === undefined || type.startsWith('command_')) return;
    this.#places.set(epoch, seq);
    this.heard.push({ type, task_id: data?.task_id, epoch, seq });
  }
}

import { WebSocket } from 'ws';

/** A message from the service. */
export interface Received {
  type: string;
  data: Record<string, unknown>;
  timestamp?: unknown;
  request_id?: string;
  seq?: number;
  epoch?: string;
}

/** A WebSocket client that remembers what it received until somebody asks for it. */
export class Client {
  readonly socket: WebSocket;
  /** Everything received and not yet taken. */
  readonly inbox: Received[] = [];
  /** Code of the close, once closed. */
  readonly closed: Promise<number>;
  /** Reason of the close, once closed. */
  reason = '';
  /** Rejects when the connection is refused. */
  readonly opened: Promise<unknown>;
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers, perMessageDeflate: false });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve).once('error', reject);
      // A connection that is given up while it is being made may just close.
      this.socket.once('close', () => reject(new Error('closed before it was open')));
    });
    this.opened.catch(() => {});
    this.socket.on('error', () => {});
    this.socket.on('message', (data) => {
      this.inbox.push(JSON.parse(data.toString()));
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        this.reason = reason.toString();
        this.#isClosed = true;
        resolve(code);
        this.#wake();
      });
    });
  }

  /** Connect. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<Client> {
    const client = new Client(url, headers);
    await client.opened;
    return client;
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The next message that fits, taken out of the inbox with all that came before it. */
  async next(type?: string): Promise<Received> {
    for (;;) {
      const index = this.inbox.findIndex((message) => type === undefined || message.type === type);
      const found = this.inbox.splice(0, index + 1).at(-1);
      if (found) return found;
      if (this.#isClosed) throw new Error(`closed while waiting for ${type ?? 'a message'}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next so many messages. */
  async take(count: number): Promise<Received[]> {
    const messages: Received[] = [];
    while (messages.length < count) messages.push(await this.next());
    return messages;
  }

  /** Send a request and take its answer; what comes before it stays untouched only in order. */
  async ask(message: Record<string, unknown>): Promise<Received> {
    const request_id = Math.random().toString(36).slice(2);
    this.send({ ...message, request_id });
    for (;;) {
      const answer = await this.next();
      if (answer.request_id === request_id) return answer;
    }
  }

  /** Everything that was sent to this client before now: a ping is answered after it. */
  async settled(): Promise<Received[]> {
    const before: Received[] = [];
    const timestamp = Math.random();
    this.send({ type: 'ping', timestamp });
    for (;;) {
      const message = await this.next();
      if (message.type === 'pong' && message.timestamp === timestamp) return before;
      before.push(message);
    }
  }
}

import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { poll } from './platform/poll.ts';

/** What was posted to a receiver. */
export interface Delivered {
  headers: IncomingHttpHeaders;
  /** As it arrived: signatures are over these bytes. */
  body: string;
}

/** An external system that is told by webhooks: it answers 204 and keeps what it was told. */
export class WebhookReceiver implements AsyncDisposable {
  readonly #server: Server;
  readonly #delivered: Delivered[] = [];

  private constructor() {
    this.#server = createServer(async (request, response) => {
      this.#delivered.push({ headers: request.headers, body: await text(request) });
      response.writeHead(204).end();
    });
  }

  /** Listen on a free port of this machine alone. */
  static async open(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** The first delivery of a type of event; undefined when none comes in time. */
  next(type: string, timeoutMs: number): Promise<Delivered | undefined> {
    const find = async () => this.#delivered.find(({ headers }) => headers['x-event-type'] === type);
    return poll(find, { timeoutMs, intervalMs: 50 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** Whether a delivery was signed with a secret. */
export function isSignedWith({ headers, body }: Delivered, secret: string): boolean {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const sent = Buffer.from(String(headers['x-signature-256']));
  return sent.length === expected.length && timingSafeEqual(sent, expected);
}

import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** The way to a server, which can be disturbed while the server itself stays well: connections pass through here. */
export class Link implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #refusing = false;

  private constructor(host: string, port: number) {
    this.#server = createServer((near) => {
      if (this.#refusing) return void near.destroy();
      const far = connect({ host, port, noDelay: true });
      near.setNoDelay(true);
      near.pipe(far).pipe(near);
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => {});
        socket.once('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  /** Open a way to a server. */
  static async to(host: string, port: number): Promise<Link> {
    const link = new Link(host, port);
    await new Promise<void>((resolve, reject) => {
      link.#server.once('error', reject);
      link.#server.listen(0, '127.0.0.1', resolve);
    });
    return link;
  }

  /** Port of 127.0.0.1 to connect to. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Break all connections; new ones can be made at once. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Break all connections and let none be made for a while. */
  async interrupt(ms: number): Promise<void> {
    this.#refusing = true;
    this.cut();
    await delay(ms);
    this.#refusing = false;
  }

  /** Let nothing pass for a while, as on a network that drops packets; connections stay. */
  async hold(ms: number): Promise<void> {
    const held = [...this.#sockets];
    for (const socket of held) socket.pause();
    await delay(ms);
    for (const socket of held) socket.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cut();
    await closed;
  }
}

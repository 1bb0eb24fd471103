import { connect, createServer, type Server, type Socket } from 'node:net';

const dialTimeoutMs = 2_000;

/** The way to replicas of a door, as a load balancer gives it: connections go round among those that are in service. */
export class Balancer implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #ports: readonly number[];
  readonly #leaving = new Set<number>();
  #next = 0;

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
    this.#server = createServer((near) => {
      near.setNoDelay(true);
      near.pause();
      this.#keep(near);
      this.#lead(near, this.#inService());
    });
  }

  /** @param ports of the replicas, on the loopback @param listenOn port of the way; 0 takes a free one */
  static async to(ports: readonly number[], host: string, listenOn: number): Promise<Balancer> {
    const balancer = new Balancer(ports);
    await new Promise<void>((resolve, reject) => {
      balancer.#server.once('error', reject);
      balancer.#server.listen(listenOn, host, resolve);
    });
    return balancer;
  }

  /** Port to connect to. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** Lead nobody more to a replica, whose connections stay; or again. */
  setInService(port: number, inService: boolean): void {
    if (inService) this.#leaving.delete(port);
    else this.#leaving.add(port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Replicas in the order in which they are tried. */
  #inService(): number[] {
    const ports = this.#ports.filter((port) => !this.#leaving.has(port));
    const first = this.#next++ % Math.max(1, ports.length);
    return [...ports.slice(first), ...ports.slice(0, first)];
  }

  /** Where a replica cannot be reached, the next one is. */
  #lead(near: Socket, [port, ...others]: number[]): void {
    if (port === undefined) return void near.destroy();
    const far = connect({ host: '127.0.0.1', port, noDelay: true, timeout: dialTimeoutMs });
    const onFailure = () => {
      far.destroy();
      this.#lead(near, others);
    };
    far.once('error', onFailure).once('timeout', onFailure);
    far.once('connect', () => {
      far.off('error', onFailure).off('timeout', onFailure).setTimeout(0);
      this.#keep(far);
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
      near.pipe(far).pipe(near);
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {}).once('close', () => this.#sockets.delete(socket));
  }
}

import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** Is shown each text frame: where it is in a buffer that holds it only now. */
export type OnFrame = (buffer: Buffer, start: number, end: number) => void;

/**
 * A WebSocket client that costs as little as possible, so that servers are measured and not their clients: it counts
 * frames by their lengths.
 */
export class LoadClient {
  /** Text frames received since the handshake. */
  frames = 0;
  readonly #socket: Socket;
  readonly #onFrame: OnFrame;
  #rest: Buffer = Buffer.alloc(0);
  #waiting: { count: number; resolve: () => void } | undefined;
  #upgraded = false;

  private constructor(socket: Socket, onFrame: OnFrame) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    socket.on('data', (data) => this.#receive(data));
    socket.on('error', (error) => {
      throw error;
    });
  }

  /** Connect. */
  static async open(port: number, path: string, onFrame: OnFrame): Promise<LoadClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const client = new LoadClient(socket, onFrame);
    const { promise, resolve } = Promise.withResolvers<void>();
    client.#waiting = { count: 0, resolve };
    const key = randomBytes(16).toString('base64');
    const headers = `Host: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n`;
    socket.write(`GET ${path} HTTP/1.1\r\n${headers}\r\n`);
    await promise;
    return client;
  }

  /** Send a text. */
  send(text: string): void {
    this.#write(0x81, Buffer.from(text));
  }

  /** Resolves when so many frames have come in all. */
  async received(count: number): Promise<void> {
    if (this.frames >= count) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting = { count, resolve };
    await promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(data: Buffer): void {
    let buffer = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    if (!this.#upgraded) {
      const end = buffer.indexOf('\r\n\r\n');
      if (end < 0) {
        this.#rest = buffer;
        return;
      }
      const status = buffer.subarray(0, 12).toString();
      if (!status.endsWith('101')) throw new Error(`refused: ${status}`);
      this.#upgraded = true;
      buffer = buffer.subarray(end + 4);
    }
    this.#rest = buffer.subarray(this.#readFrames(buffer));
    if (this.#waiting && this.frames >= this.#waiting.count) {
      this.#waiting.resolve();
      this.#waiting = undefined;
    }
  }

  /** @returns how much of the buffer was read */
  #readFrames(buffer: Buffer): number {
    let at = 0;
    while (buffer.length - at >= 2) {
      const short = (buffer[at + 1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (buffer.length - at < header) break;
      const length =
        short < 126 ? short : short === 126 ? buffer.readUInt16BE(at + 2) : Number(buffer.readBigUInt64BE(at + 2));
      if (buffer.length - at < header + length) break;
      this.#take((buffer[at] ?? 0) & 0x0f, buffer, at + header, at + header + length);
      at += header + length;
    }
    return at;
  }

  #take(opcode: number, buffer: Buffer, start: number, end: number): void {
    if (opcode === 1) {
      this.frames += 1;
      this.#onFrame(buffer, start, end);
    }
    // Who does not answer pings is cut.
    if (opcode === 9) this.#write(0x8a, buffer.subarray(start, end));
  }

  /** Write a frame, masked by zeros. */
  #write(first: number, payload: Buffer): void {
    const { length } = payload;
    const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
    this.#socket.write(Buffer.concat([Buffer.from([first, ...size]), Buffer.alloc(4), payload]));
  }
}

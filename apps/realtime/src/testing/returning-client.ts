import { setTimeout } from 'node:timers/promises';
import type { Position } from '../streams/item.ts';
import { Client, type Received } from './client.ts';

/** How a client gets in. */
export interface Entrance {
  /** Address of a replica that may be there. */
  url(): string;
  token(): string;
}

/** A client that stays subscribed to one thing: whenever its connection is lost, it comes back and goes on after what it heard. */
export class ReturningClient {
  /** Numbers heard since it last had to reload. */
  heard: number[] = [];
  /** How often it came back. */
  returns = 0;
  /** How often what it missed was not there any more. */
  reloads = 0;
  /** Messages that came out of order, or twice. */
  readonly wrong: string[] = [];
  #place: Position | undefined;
  #client: Client | undefined;
  #over = false;
  readonly #running: Promise<void>;

  constructor(entrance: Entrance, target: Record<string, string>) {
    this.#running = this.#run(entrance, target);
  }

  /** Lose the connection, as a network does. */
  drop(): void {
    this.#client?.socket.terminate();
  }

  /** Come back no more. */
  async end(): Promise<void> {
    this.#over = true;
    this.drop();
    await this.#running;
  }

  async #run(entrance: Entrance, target: Record<string, string>): Promise<void> {
    while (!this.#over) {
      // Lost or refused: it tries again.
      await this.#listen(entrance, target).catch(() => {});
      await setTimeout(10);
    }
  }

  async #listen(entrance: Entrance, target: Record<string, string>): Promise<void> {
    const client = new Client(entrance.url());
    this.#client = client;
    await client.opened;
    await client.ask({ type: 'authenticate', token: entrance.token() });
    client.send({ type: 'subscribe', ...target, ...(this.#place ? { since: this.#place } : {}) });
    for (;;) this.#take(await client.next());
  }

  #take({ type, data, epoch, seq }: Received): void {
    if (type === 'subscribed') {
      const place = { epoch: String(data.epoch), seq: Number(data.seq) };
      if (this.#place) this.returns += 1;
      if (data.recovered === false) {
        this.reloads += 1;
        this.heard = [];
      }
      this.#place = place;
    } else if (type === 'error') {
      throw new Error(JSON.stringify(data));
    } else if (seq !== undefined && epoch !== undefined) {
      if (epoch !== this.#place?.epoch || seq <= this.#place.seq)
        this.wrong.push(`${epoch} ${seq} after ${this.#place?.seq}`);
      this.heard.push(seq);
      this.#place = { epoch, seq };
    }
  }
}

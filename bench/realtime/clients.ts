import { LoadClient } from './load-client.ts';

/** How a server's clients get in. */
export interface Entrance {
  port: number;
  path: string;
  /** Texts that are sent once connected, and after how many frames in all they are answered. */
  hello: { text: string; frames: number }[];
}

/** What the process of the clients is told. */
export type ClientsOrder = { open: Entrance[] } | { close: true };

/** What it tells. */
export type ClientsReport = { opened: number } | { frames: number; latencies: number[] };

/** One in so many frames is looked into. */
const lookedInto = 7;
const atOnce = 50;
const reportMs = 10;

/** Holds clients, and tells what they receive. */
export function holdClients(): void {
  let clients: LoadClient[] = [];
  let reported = 0;
  let latencies: number[] = [];
  let seen = 0;
  const look = (buffer: Buffer, start: number, end: number) => {
    if (seen++ % lookedInto !== 0) return;
    const sentAt = Number(/"updated_at":"([\d.]+)"/.exec(buffer.toString('latin1', start, end))?.[1]);
    if (sentAt > 0) latencies.push(performance.timeOrigin + performance.now() - sentAt);
  };
  const enter = async ({ port, path, hello }: Entrance) => {
    const client = await LoadClient.open(port, path, look);
    for (const { text, frames } of hello) {
      client.send(text);
      await client.received(frames);
    }
    return client;
  };
  process.on('message', async (order: ClientsOrder) => {
    for (const client of clients.splice(0)) client.close();
    if (!('open' in order)) return;
    const entered: LoadClient[] = [];
    for (let first = 0; first < order.open.length; first += atOnce) {
      const some = order.open.slice(first, first + atOnce);
      entered.push(...(await Promise.all(some.map(enter))));
    }
    reported = entered.reduce((sum, { frames }) => sum + frames, 0);
    clients = entered;
    process.send?.({ opened: clients.length } satisfies ClientsReport);
  });
  setInterval(() => {
    const frames = clients.reduce((sum, client) => sum + client.frames, 0);
    if (clients.length === 0 || frames === reported) return;
    process.send?.({ frames: frames - reported, latencies } satisfies ClientsReport);
    reported = frames;
    latencies = [];
  }, reportMs);
}

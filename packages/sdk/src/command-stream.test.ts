import { expect, test } from '@jest/globals';
import { ClaudeCliClient } from './client.ts';

type Sent = { url: string; lastId: string | undefined };

const piece = (seq: number) =>
  event('command_output', { stream: 'stdout', content: `${seq}\n`, timestamp: 'T' }, `r:${seq}`);
const finished = event('command_finished', { status: 'completed' });

function event(type: string, data: object, id?: string): string {
  return `${id ? `id: ${id}\n` : ''}event: ${type}\ndata: ${JSON.stringify({ type, data })}\n\n`;
}

/** A stream of these texts, that then ends or breaks off. */
function streamOf(texts: readonly string[], breaksOff = false): Response {
  const left = [...texts];
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      const text = left.shift();
      if (text !== undefined) controller.enqueue(new TextEncoder().encode(text));
      else if (breaksOff) controller.error(new TypeError('terminated'));
      else controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

/** What a client reads whose platform opens these streams, one after the other. */
async function readFrom(streams: Response[]) {
  const sent: Sent[] = [];
  const statuses = ['running', 'completed'];
  const fake: typeof fetch = async (url, { headers } = {}) => {
    if (!String(url).endsWith('/stream')) {
      const data = { command_id: 'c', status: statuses.shift() ?? 'completed', output: [] };
      return new Response(JSON.stringify({ data, error: null }));
    }
    sent.push({ url: String(url), lastId: (headers as Record<string, string>)['Last-Event-ID'] });
    const next = streams.shift();
    if (!next) throw new TypeError('nothing more was expected');
    return next;
  };
  const retries = { firstMs: 1, mostMs: 1, attempts: 2 };
  const client = new ClaudeCliClient({ baseURL: 'http://x/api', token: 't', fetch: fake, retries });
  let text = '';
  const stream = client.commands.stream('c');
  let next = await stream.next();
  for (; !next.done; next = await stream.next()) text += next.value.content;
  return { text, sent, command: next.value };
}

test('output comes however it is cut on its way, and the command at its end once its record says so', async () => {
  const whole = `retry: 5\n\n:\n\n${event('subscribed', {}, 'r:0')}${piece(1)}${piece(2)}${finished}`;
  const { text, sent, command } = await readFrom([streamOf([...whole])]);
  expect(text).toBe('1\n2\n');
  expect(sent).toEqual([{ url: 'http://x/api/commands/c/stream', lastId: undefined }]);
  expect(command.status).toBe('completed');
});

test('a stream that ends or breaks off is gone on with after the last event', async () => {
  const { text, sent } = await readFrom([
    streamOf([event('subscribed', {}, 'r:0'), piece(1), piece(2)], true),
    streamOf([event('subscribed', {}, 'r:2'), piece(3)]),
    streamOf([event('subscribed', {}, 'r:3'), finished]),
  ]);
  expect(text).toBe('1\n2\n3\n');
  expect(sent.map(({ lastId }) => lastId)).toEqual([undefined, 'r:2', 'r:3']);
});

test('who was let in waits out that the platform is away; who was not is told', async () => {
  const away = () =>
    new Response('{"data":null,"error":{"code":"SERVICE_UNAVAILABLE","message":"no"}}', { status: 503 });
  const { text } = await readFrom([streamOf([piece(1)]), away(), away(), away(), streamOf([piece(2), finished])]);
  expect(text).toBe('1\n2\n');
  await expect(readFrom([away(), away()])).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
});

test('what this side was too slow for is read again, and what is not stored is passed over', async () => {
  const gap = event('gap', { epoch: 'r', from: 2, to: 3, dropped: 2 });
  const { text, sent } = await readFrom([
    streamOf([piece(1), gap, piece(4), finished]),
    streamOf([piece(2), piece(3), piece(4), finished]),
  ]);
  expect(text).toBe('1\n2\n3\n4\n');
  expect(sent.map(({ lastId }) => lastId)).toEqual([undefined, 'r:1']);
  const lost = await readFrom([streamOf([piece(1), gap, piece(4), finished]), streamOf([gap, piece(4), finished])]);
  expect(lost.text).toBe('1\n4\n');
});

test('one that only ever ends is given up', async () => {
  const ends = Array.from({ length: 30 }, () => streamOf([]));
  await expect(readFrom(ends)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' });
});

test('the signal ends it with its reason', async () => {
  const hangs = () =>
    new Response(new ReadableStream<Uint8Array>({}), { headers: { 'content-type': 'text/event-stream' } });
  const client = new ClaudeCliClient({ baseURL: 'http://x/api', token: 't', fetch: async () => hangs() });
  const stop = new AbortController();
  const reading = client.commands.stream('c', { signal: stop.signal }).next();
  setImmediate(() => stop.abort(new Error('enough')));
  await expect(reading).rejects.toThrow('enough');
});

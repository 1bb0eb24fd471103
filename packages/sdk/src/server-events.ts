import { ApiError } from './errors.ts';

/** One server-sent event. */
export interface ServerEvent {
  event: string;
  data: string;
  /** After what to go on; the latest that was told. */
  lastId: string | undefined;
}

/** What is waited for without any sign of life, in milliseconds: the platform gives one every 15 seconds. */
const silentMs = 45_000;
/** Longest event, in characters. */
const mostHeld = 16 * 1024 * 1024;

/**
 * The events of a stream until it ends (https://html.spec.whatwg.org/multipage/server-sent-events.html). Whoever stops
 * reading closes the stream, and so does the signal.
 * @throws ApiError when it breaks off, or falls silent
 */
export async function* serverEvents(response: Response, signal?: AbortSignal): AsyncGenerator<ServerEvent, void> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let held = '';
  let lastId: string | undefined;
  const close = () => void reader.cancel().catch(() => {});
  signal?.addEventListener('abort', close, { once: true });
  try {
    if (signal?.aborted) return;
    for (;;) {
      const { done, value } = await inTime(reader.read());
      if (done) return;
      held += decoder.decode(value, { stream: true });
      if (held.length > mostHeld) throw new ApiError('An event is too long', { code: 'INVALID_RESPONSE' });
      const blocks = held.split('\n\n');
      held = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = fieldsOf(block);
        lastId = fields.get('id') ?? lastId;
        const data = fields.get('data');
        if (data !== undefined) yield { event: fields.get('event') ?? 'message', data, lastId };
      }
    }
  } catch (cause) {
    if (cause instanceof ApiError) throw cause;
    throw new ApiError('The stream broke off', { code: 'NETWORK_ERROR', cause });
  } finally {
    signal?.removeEventListener('abort', close);
    close();
  }
}

/** The fields of an event. The platform writes each on one line. */
function fieldsOf(block: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''));
  }
  return fields;
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<never>((_resolve, reject) => {
    const error = new ApiError(`No sign of life within ${silentMs} ms`, { code: 'TIMEOUT' });
    timer = setTimeout(() => reject(error), silentMs);
  });
  try {
    return await Promise.race([work, silent]);
  } finally {
    clearTimeout(timer);
  }
}

import { once } from 'node:events';
import type { LiveEvent } from '@claude-cli/proto/platform/v1/live';
import { PlatformError } from '@claude-cli/shared/errors';
import type { Logger } from '@claude-cli/shared/logger';
import { metrics } from '@claude-cli/shared/telemetry/metrics';
import type { Response } from 'express';
import { Gauge } from 'prom-client';
import { streamHasBegun } from './answered.ts';

/** Streams of one gateway at a time. */
const mostStreams = 20_000;
/** Pause between signs of life, in milliseconds: shorter than the 30 seconds after which common proxies give up. */
const heartbeatMs = 15_000;
/** How long a caller may read nothing of what is sent, in milliseconds. */
const stalledMs = 60_000;
/** When a client comes back after a stream has ended, in milliseconds; spread, so that not all come at once. */
const reconnectMs = { least: 500, spread: 2_000 };

const open = new Gauge({
  name: 'http_event_streams',
  help: 'Server-sent event streams that are open',
  registers: [metrics],
});

/** The server-sent event streams of this process (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventStreams {
  readonly #log: Logger;
  readonly #ends = new Set<AbortController>();
  readonly #heartbeatMs: number;
  readonly #stalledMs: number;

  constructor(log: Logger, times: { heartbeatMs?: number; stalledMs?: number } = {}) {
    this.#log = log;
    this.#heartbeatMs = times.heartbeatMs ?? heartbeatMs;
    this.#stalledMs = times.stalledMs ?? stalledMs;
  }

  /**
   * Make room for a stream to a caller.
   * @returns what ends when the caller leaves or this process ends
   * @throws PlatformError SYSTEM_OVERLOADED
   */
  admit(response: Response): AbortSignal {
    if (this.#ends.size >= mostStreams) {
      throw new PlatformError('SYSTEM_OVERLOADED', 'Too many streams, try again later');
    }
    const end = new AbortController();
    this.#ends.add(end);
    open.inc();
    response.once('close', () => {
      open.dec();
      this.#ends.delete(end);
      end.abort();
    });
    return end.signal;
  }

  /**
   * Send events until either side ends it. A caller who reads slowly is waited for, and the owner bounds what waits; one who
   * reads nothing at all is cut off.
   */
  async send(response: Response, events: AsyncIterable<LiveEvent>, signal: AbortSignal): Promise<void> {
    begin(response);
    const heartbeat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(':\n\n');
    }, this.#heartbeatMs);
    try {
      for await (const event of events) {
        if (!response.write(frameOf(event))) await this.#drained(response, signal);
      }
    } catch (err) {
      // Nothing can be told any more by a status: the client notices the end, and comes back.
      if (!signal.aborted) this.#log.debug({ request_id: response.locals.requestId, err }, 'a stream broke off');
    } finally {
      clearInterval(heartbeat);
      response.end();
    }
  }

  async #drained(response: Response, signal: AbortSignal): Promise<void> {
    const cut = setTimeout(() => response.destroy(), this.#stalledMs);
    await once(response, 'drain', { signal }).finally(() => clearTimeout(cut));
  }

  /** End all of them because the process ends; clients come back to another one, and go on where they were. */
  endAll(): void {
    for (const end of this.#ends) end.abort();
  }
}

function begin(response: Response): void {
  // Its connection ends with it; kept alive it would hold up a gateway that stops.
  response.shouldKeepAlive = false;
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    // Some proxies collect what they pass on unless told otherwise.
    'X-Accel-Buffering': 'no',
  });
  const retry = Math.round(reconnectMs.least + Math.random() * reconnectMs.spread);
  response.write(`retry: ${retry}\n\n`);
  streamHasBegun(response);
}

function frameOf({ id, event, data }: LiveEvent): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${data}\n\n`;
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { poll } from '../../scripts/platform/poll.ts';

/** A span as a collector is told of it. */
export interface ToldSpan {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  /** Empty for the first of a trace. */
  parentSpanId: string;
  links: { traceId: string; spanId: string }[];
  attributes: Record<string, unknown>;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}
interface Resource {
  resource: { attributes: Attribute[] };
}
type SentSpan = Omit<ToldSpan, 'service' | 'attributes' | 'links'> & {
  links?: ToldSpan['links'];
  attributes?: Attribute[];
};
interface SentBody {
  resourceSpans?: (Resource & { scopeSpans: { spans: SentSpan[] }[] })[];
  resourceMetrics?: (Resource & { scopeMetrics: { metrics: { name: string }[] }[] })[];
  resourceLogs?: (Resource & { scopeLogs: { logRecords: { traceId?: string; body: { stringValue?: string } }[] }[] })[];
}

/** A collector of OTLP over HTTP, as JSON. */
export class OtlpReceiver implements AsyncDisposable {
  readonly url: string;
  readonly spans: ToldSpan[] = [];
  /** Names of metrics, by service. */
  readonly metrics = new Map<string, Set<string>>();
  readonly logs: { service: string; traceId: string; text: string }[] = [];
  /** Everything as it came. */
  readonly bodies: string[] = [];
  readonly #close: () => Promise<void>;

  private constructor(port: number, close: () => Promise<void>) {
    this.url = `http://127.0.0.1:${port}`;
    this.#close = close;
  }

  static async start(): Promise<OtlpReceiver> {
    const server = createServer(async (request, response) => {
      let body = '';
      request.setEncoding('utf8');
      for await (const chunk of request) body += chunk;
      receiver.#take(body);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const receiver = new OtlpReceiver((server.address() as AddressInfo).port, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return receiver;
  }

  /** The first span that fits, once it was told of. @throws Error that names the spans of the trace instead */
  async span(traceId: string | undefined, fits: (span: ToldSpan) => boolean, what: string): Promise<ToldSpan> {
    const ofTrace = () => this.spans.filter((span) => traceId === undefined || span.traceId === traceId);
    const found = await poll(() => ofTrace().find(fits), { timeoutMs: 60_000, intervalMs: 50 });
    if (found) return found;
    const seen = new Set(ofTrace().map(({ service, name }) => `${service}: ${name}`));
    throw new Error(`no span "${what}", but: ${[...seen].toSorted().join(', ')}`);
  }

  /** What a span is below, as far as it was told of. */
  ancestors(span: ToldSpan): ToldSpan[] {
    const parent = this.spans.find(({ spanId }) => spanId === span.parentSpanId);
    return parent ? [parent, ...this.ancestors(parent)] : [];
  }

  /** A span with all that led to it: by its parents, and by the links of them all, in other traces too. */
  cause(span: ToldSpan): ToldSpan[] {
    const byId = new Map(this.spans.map((each) => [each.spanId, each]));
    const found = new Set<ToldSpan>();
    const open = [span.spanId];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const each = byId.get(id);
      if (!each || found.has(each)) continue;
      found.add(each);
      open.push(each.parentSpanId, ...each.links.map(({ spanId }) => spanId));
    }
    return [...found];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }

  #take(body: string): void {
    this.bodies.push(body);
    const { resourceSpans = [], resourceMetrics = [], resourceLogs = [] } = JSON.parse(body) as SentBody;
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = serviceOf(resource);
      for (const { links = [], attributes = [], ...span } of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          ...span,
          parentSpanId: span.parentSpanId ?? '',
          service,
          links,
          attributes: read(attributes),
        });
      }
    }
    for (const { resource, scopeMetrics } of resourceMetrics) {
      const names = this.metrics.get(serviceOf(resource)) ?? new Set();
      this.metrics.set(serviceOf(resource), names);
      for (const { name } of scopeMetrics.flatMap(({ metrics }) => metrics)) names.add(name);
    }
    for (const { resource, scopeLogs } of resourceLogs) {
      for (const { traceId = '', body: text } of scopeLogs.flatMap(({ logRecords }) => logRecords)) {
        this.logs.push({ service: serviceOf(resource), traceId, text: text.stringValue ?? '' });
      }
    }
  }
}

function serviceOf({ attributes }: Resource['resource']): string {
  return String(read(attributes)['service.name']);
}

function read(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

import type { AddressInfo } from 'node:net';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { Bus } from '@claude-cli/shared/amqp/bus';
import { createLogger } from '@claude-cli/shared/logger';
import { testEnvironment } from '@claude-cli/shared/testing/environment';

/** The broker as a test uses it: to publish, to look, and to be cut off from. */
export interface TestBroker extends AsyncDisposable {
  /** Address for the service under test, which leads over a wire that can be cut. */
  url: string;
  prefix: string;
  bus: Bus;
  /** Whether a queue is bound so that it gets a message with this routing key. */
  reaches(routingKey: string): Promise<boolean>;
  /** Cut the connections of the service under test; new ones are let through. */
  cut(): void;
}

/** Connect to the real broker under a prefix of one's own; everything below it is deleted in the end. */
export async function startBroker(): Promise<TestBroker> {
  await using stack = new AsyncDisposableStack();
  const { AMQP_URL: url = '', AMQP_PREFIX: prefix = '' } = stack.use(testEnvironment()).env;
  const bus = stack.use(await Bus.connect(url, prefix, createLogger('test', 'silent')));
  const returned = new Set<string>();
  const kept = stack.use(
    await bus.openChannel(async (channel) => {
      channel.on('return', (message) => returned.add(message.properties.messageId));
    }),
  );
  const wire = await startWire(new URL(url));
  stack.defer(wire.close);
  const throughWire = new URL(url);
  throughWire.port = String(wire.port);
  let probes = 0;
  const running = stack.move();
  return {
    url: throughWire.href,
    prefix,
    bus,
    cut: wire.cut,
    reaches: async (routingKey) => {
      const messageId = `probe-${probes++}`;
      const body = Buffer.from('{"type":"probe","data":{}}');
      // The broker returns what reaches no queue before it confirms.
      kept.current?.publish(bus.names.events, routingKey, body, { mandatory: true, messageId });
      await kept.current?.waitForConfirms();
      return !returned.has(messageId);
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function startWire(to: URL) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(Number(to.port || 5672), to.hostname);
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(from);
          into.destroy();
        });
      from.pipe(into);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close: () => {
      cut();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

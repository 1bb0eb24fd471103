import type { AddressInfo } from 'node:net';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { Bus } from '@claude-cli/shared/amqp/bus';
import { createLogger } from '@claude-cli/shared/logger';
import { testEnvironment } from '@claude-cli/shared/testing/environment';
import { migrated } from '@claude-cli/shared/testing/migrated';
import { database } from '../database.ts';

/** The broker as a test uses it: to publish, to look, and to be cut off from. */
export interface TestBroker extends AsyncDisposable {
  /** Address for the service under test, which leads over a wire that can be cut. */
  url: string;
  /** Settings that name it, and a database. */
  env: Record<string, string>;
  bus: Bus;
  /** Whether the queue of a process is bound so that it gets events with this routing key, or what happens in this scope. */
  reaches(routingKeyOrScope: string): Promise<boolean>;
  /** Cut the connections of the service under test; new ones are let through. */
  cut(): void;
}

/** Connect to the real broker under a prefix of one's own; everything below it is deleted in the end. */
export async function startBroker(): Promise<TestBroker> {
  await using stack = new AsyncDisposableStack();
  const { env } = stack.use(testEnvironment());
  await migrated(env, database);
  const { AMQP_URL: url = '', AMQP_PREFIX: prefix = '' } = env;
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
    env,
    bus,
    cut: wire.cut,
    reaches: async (to) => {
      const messageId = `probe-${probes++}`;
      const body = Buffer.from('{"type":"probe","data":{}}');
      // The broker returns what reaches no queue before it confirms.
      const { live, events } = bus.names;
      kept.current?.publish(to.startsWith('project:') ? live : events, to, body, { mandatory: true, messageId });
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

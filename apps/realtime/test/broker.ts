import type { AddressInfo } from 'node:net';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { Bus } from '@claude-cli/shared/amqp/bus';
import { priorities } from '@claude-cli/shared/amqp/topology';
import { createLogger } from '@claude-cli/shared/logger';

const url = process.env.AMQP_URL ?? 'amqp://guest:guest@127.0.0.1:5672';

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
  const prefix = `test-realtime-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const bus = await Bus.connect(url, prefix, createLogger('test', 'silent'));
  const returned = new Set<string>();
  const kept = await bus.openChannel(async (channel) => {
    channel.on('return', (message) => returned.add(message.properties.messageId));
  });
  const wire = await startWire(new URL(url));
  const throughWire = new URL(url);
  throughWire.port = String(wire.port);
  let probes = 0;
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
    [Symbol.asyncDispose]: async () => {
      const { names } = bus;
      const channel = kept.current;
      for (const exchange of [names.events, names.executions, names.control, names.deadLetters]) {
        await channel?.deleteExchange(exchange);
      }
      await channel?.deleteQueue(names.deadLetters);
      for (const priority of priorities) await channel?.deleteQueue(names.executionQueue(priority));
      await kept[Symbol.asyncDispose]();
      await bus[Symbol.asyncDispose]();
      await wire.close();
    },
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
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

import { once } from 'node:events';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect } from 'amqplib';
import { eventPattern } from '../event-routing.ts';
import { type AnyEvent, newEvent, type PlatformEvent } from '../events.ts';
import { createLogger } from '../logger.ts';
import { testEnvironment } from '../testing/environment.ts';
import { until } from '../testing/until.ts';
import { Bus } from './bus.ts';
import { durableQueue } from './topology.ts';

const log = createLogger('test', process.env.LOG_LEVEL ?? 'silent');

function projectDeleted(project_id: string): PlatformEvent<'project.deleted'> {
  return newEvent('project.deleted', { actor: 'u', project_id }, { name: 'n', status: 'active', member_ids: [] });
}

/** A way to the broker of which the first connection is cut when it declares an exchange. */
async function startWire(to: URL) {
  // Class 40 (exchange), method 10 (declare).
  const declare = Buffer.from([0, 40, 0, 10]);
  let connections = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connectTcp(Number(to.port || 5672), to.hostname);
    for (const socket of [near, far]) sockets.add(socket);
    const isFirst = connections++ === 0;
    near.on('data', (data) => isFirst && data.includes(declare) && near.destroy());
    near.on('error', () => {}).on('close', () => far.destroy());
    far.on('error', () => {}).on('close', () => near.destroy());
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(to);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    connections: () => connections,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

describe('the bus', () => {
  const environment = testEnvironment();
  let bus: Bus;

  beforeAll(async () => {
    bus = await Bus.connect(environment.env.AMQP_URL ?? '', environment.env.AMQP_PREFIX ?? '', log);
  });
  afterAll(async () => {
    await bus[Symbol.asyncDispose]();
    await environment[Symbol.asyncDispose]();
  });

  test('delivers to each subscriber only what its patterns ask for, in order', async () => {
    const one: string[] = [];
    const all: string[] = [];
    await using _one = await bus.subscribe<AnyEvent>(
      { exchange: 'events', patterns: [eventPattern('project', 'p1')], prefetch: 10 },
      async ({ id }) => void one.push(id),
    );
    await using _all = await bus.subscribe<AnyEvent>(
      { exchange: 'events', patterns: [eventPattern('project')], prefetch: 10 },
      async ({ id }) => void all.push(id),
    );
    const events = ['p1', 'p2', 'p1'].map(projectDeleted);
    for (const event of events) await bus.publishEvent(event);
    await until('all events', () => all.length === 3 && one.length === 2);
    expect(all).toEqual(events.map(({ id }) => id));
    expect(one).toEqual([events[0]?.id, events[2]?.id]);
  });

  test('tries a handler again until it succeeds, and keeps the message meanwhile', async () => {
    const queue = bus.names.serviceQueue('task-service.projects');
    let failures = 2;
    const handled: string[] = [];
    await using _ = await bus.subscribe<AnyEvent>(
      { queue, exchange: 'events', patterns: [eventPattern('project.deleted')], prefetch: 1 },
      async ({ id }) => {
        if (failures-- > 0) throw new Error('not yet');
        handled.push(id);
      },
    );
    const event = projectDeleted('p3');
    await bus.publishEvent(event);
    await until('the message to be handled', () => handled.length === 1);
    expect(handled).toEqual([event.id]);
  });

  test('sets aside a message that is not JSON', async () => {
    const queue = bus.names.serviceQueue('task-service.results');
    await using _ = await bus.subscribe(
      { queue, exchange: 'events', patterns: ['broken'], prefetch: 1 },
      async () => {},
    );
    const raw = await connect(environment.env.AMQP_URL ?? '');
    const channel = await raw.createConfirmChannel();
    channel.publish(bus.names.events, 'broken', Buffer.from('{'));
    const dead = await until('the dead letter', () => channel.get(bus.names.deadLetters, { noAck: true }));
    expect(dead.content.toString()).toBe('{');
    await raw.close();
  });

  test('sets aside a message on which the handler fails too often, and goes on with the next', async () => {
    const queue = bus.names.serviceQueue('task-service.projects');
    const events = ['p6', 'p7'].map(projectDeleted);
    const handled: string[] = [];
    await using _ = await bus.subscribe<AnyEvent>(
      { queue, exchange: 'events', patterns: [eventPattern('project.deleted')], prefetch: 1, attempts: 2 },
      async ({ id }) => {
        handled.push(id);
        if (id === events[0]?.id) throw new TypeError('cannot be handled');
      },
    );
    for (const event of events) await bus.publishEvent(event);
    await using kept = await bus.openChannel(async () => {});
    const dead = await until('the dead letter', () => kept.current?.get(bus.names.deadLetters, { noAck: true }));
    expect(dead.properties.messageId).toBe(events[0]?.id);
    expect(dead.properties.headers?.['x-death']).toEqual([
      expect.objectContaining({ queue, reason: 'rejected', exchange: bus.names.events }),
    ]);
    await until('the next message', () => handled.length === 3);
    expect(handled).toEqual([events[0]?.id, events[0]?.id, events[1]?.id]);
  });

  test('sends many events in few messages, and tries those again alone on which the handler fails', async () => {
    const queue = bus.names.serviceQueue('task-service.projects');
    const patterns = [eventPattern('project.deleted')];
    const events = Array.from({ length: 60 }, () => projectDeleted('p8'));
    const odd = events[41]?.id;
    await using kept = await bus.openChannel(async (channel) => {
      await channel.assertQueue(queue, durableQueue(bus.names));
      await channel.bindQueue(queue, bus.names.events, patterns[0] ?? '');
    });
    await Promise.all(events.map((event) => bus.publishEvent(event)));
    expect((await kept.current?.checkQueue(queue))?.messageCount).toBeLessThan(20);
    const handled: string[] = [];
    let atOnce = 0;
    let most = 0;
    await using _ = await bus.subscribe<AnyEvent>(
      { queue, exchange: 'events', patterns, prefetch: 3, attempts: 2 },
      async ({ id }) => {
        most = Math.max(most, ++atOnce);
        await new Promise(setImmediate);
        atOnce--;
        handled.push(id);
        if (id === odd) throw new TypeError('cannot be handled');
      },
    );
    const dead = await until('the dead letter', () => kept.current?.get(bus.names.deadLetters, { noAck: true }));
    expect(dead.properties.messageId).toBe(odd);
    expect(JSON.parse(dead.content.toString())).toMatchObject({ id: odd });
    // Once with the others, then as often as one that came alone.
    expect(handled.toSorted()).toEqual([...events.map(({ id }) => id), odd, odd].toSorted());
    expect(most).toBeLessThanOrEqual(3 * 3);
    await until('the queue to be empty', async () => (await kept.current?.checkQueue(queue))?.messageCount === 0);
  });

  test('keeps durable messages for a service that is away', async () => {
    const subscription = {
      queue: bus.names.serviceQueue('task-service.projects'),
      exchange: 'events' as const,
      patterns: [eventPattern('project.deleted')],
      prefetch: 1,
    };
    await using _first = await bus.subscribe(subscription, async () => {});
    await _first[Symbol.asyncDispose]();
    const event = projectDeleted('p4');
    await bus.publishEvent(event);
    const handled: string[] = [];
    await using _second = await bus.subscribe<AnyEvent>(subscription, async ({ id }) => void handled.push(id));
    await until('the kept message', () => handled.includes(event.id));
  });

  test('declares a queue that was deleted again, before a token for it is lost', async () => {
    const queue = bus.names.executionQueue('low');
    await using kept = await bus.openChannel(async () => {});
    await kept.current?.deleteQueue(queue);
    await Promise.all([bus.publishJob('low'), bus.publishJob('low')]);
    await bus.publishJob('low');
    await until('the tokens', async () => (await bus.countJobs('low')) === 3);
    await kept.current?.purgeQueue(queue);
  });

  test('connects again when the connection is lost while it declares what it needs', async () => {
    await using wire = await startWire(new URL(environment.env.AMQP_URL ?? ''));
    await using late = await Bus.connect(wire.url, environment.env.AMQP_PREFIX ?? '', log);
    expect(wire.connections()).toBe(2);
    expect(late.connected).toBe(true);
  });

  test('can be closed while the connection is being lost, of which it does not know yet', async () => {
    await using wire = await startWire(new URL(environment.env.AMQP_URL ?? ''));
    const doomed = await Bus.connect(wire.url, environment.env.AMQP_PREFIX ?? '', log);
    wire.cut();
    await doomed[Symbol.asyncDispose]();
    expect(doomed.connected).toBe(false);
  });

  test('opens a channel that cannot be set up again and again, but not more and more often', async () => {
    let setUps = 0;
    let broken = false;
    await using kept = await bus.openChannel(async (channel) => {
      setUps++;
      // The broker closes the channel, as it closes a connection on which it fails.
      if (broken) await channel.checkQueue(`${bus.names.executions}.none`);
    });
    broken = true;
    await kept.current?.checkQueue(`${bus.names.executions}.none`).catch(() => {});
    const [from, begun] = [setUps, performance.now()];
    await until('it was tried several times', () => setUps >= from + 5);
    // Attempts that double would be five after three pauses.
    expect(performance.now() - begun).toBeGreaterThan(5 * 400);
    broken = false;
    await until('it is open', () => kept.current !== undefined);
  });

  test('handles no more events at once than it is to, however many come as one message', async () => {
    const queue = bus.names.serviceQueue('webhook-dispatcher.events');
    let [atOnce, most] = [0, 0];
    const handled: string[] = [];
    await using _subscription = await bus.subscribe<AnyEvent>(
      { queue, exchange: 'events', patterns: [eventPattern('project', 'p6')], prefetch: 30, atOnce: 30 },
      async ({ id }) => {
        most = Math.max(most, ++atOnce);
        await new Promise(setImmediate);
        atOnce--;
        handled.push(id);
      },
    );
    const events = Array.from({ length: 400 }, () => projectDeleted('p6'));
    await Promise.all(events.map((event) => bus.publishEvent(event)));
    await until('all of them', () => handled.length === 400);
    expect(new Set(handled).size).toBe(400);
    // Messages of up to 20: the one that is begun last may exceed it.
    expect(most).toBeGreaterThan(20);
    expect(most).toBeLessThan(50);
  });

  test('opens a lost channel again and goes on', async () => {
    const handled: string[] = [];
    await using subscription = await bus.subscribe<AnyEvent>(
      { exchange: 'events', patterns: [eventPattern('project', 'p5')], prefetch: 10 },
      async ({ id }) => void handled.push(id),
    );
    const lost = subscription.current;
    await lost?.checkQueue('there is no such queue').catch(() => {});
    await until('another channel', () => subscription.current !== undefined && subscription.current !== lost);
    const event = projectDeleted('p5');
    await bus.publishEvent(event);
    await until('the event', () => handled.includes(event.id));
  });
});

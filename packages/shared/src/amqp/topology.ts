import type { Channel } from 'amqplib';

/** The priorities that executions wait with, highest first. */
export const priorities = ['high', 'normal', 'low'] as const;

/** Priority of an execution. */
export type Priority = (typeof priorities)[number];

/**
 * How many executions of each priority runners take in one round while all of them wait, highest first. So low is served
 * once in ten however much waits above it.
 */
export const shares: Readonly<Record<Priority, number>> = { high: 6, normal: 3, low: 1 };

/** The durable queues of services: whose, and for what. */
export const serviceQueues = [
  'task-service.projects',
  'task-service.results',
  'webhook-dispatcher.events',
  'project-service.notifications',
  'project-service.audit',
  'realtime.log',
] as const;

/** One of the durable queues of services. */
export type ServiceQueue = (typeof serviceQueues)[number];

/** Names of everything that we declare on the broker, below one prefix. */
export interface Names {
  /** Topic exchange of facts. */
  events: string;
  /** Direct exchange of numbered events, by the scope in which they happened. */
  live: string;
  /** Direct exchange of executions that wait, by priority. */
  executions: string;
  /** Fanout exchange of orders to the runners. */
  control: string;
  /** Fanout exchange and queue of messages that no consumer could read. */
  deadLetters: string;
  /** Queue of executions of one priority. */
  executionQueue(priority: Priority): string;
  /** Durable queue of a service, shared by its replicas. */
  serviceQueue(queue: ServiceQueue): string;
}

/** The names below a prefix. */
export function namesFor(prefix: string): Names {
  return {
    events: `${prefix}.events`,
    live: `${prefix}.live`,
    executions: `${prefix}.executions`,
    control: `${prefix}.control`,
    deadLetters: `${prefix}.dead-letters`,
    executionQueue: (priority) => `${prefix}.executions.${priority}`,
    serviceQueue: (queue) => `${prefix}.${queue}`,
  };
}

/** Arguments of every durable queue: replicated where the broker is a cluster, unreadable messages kept aside. */
export function durableQueue(names: Names) {
  return { durable: true, arguments: { 'x-queue-type': 'quorum', 'x-dead-letter-exchange': names.deadLetters } };
}

/** Arguments of a durable queue that one consumer reads at a time; when it goes, the next one goes on. */
export function singleActiveQueue(names: Names) {
  const { durable, arguments: usual } = durableQueue(names);
  return { durable, arguments: { ...usual, 'x-single-active-consumer': true } };
}

/** Declare exchanges and shared queues. Idempotent; runs at every connect, so a broker that lost everything is whole again. */
export async function declareTopology(channel: Channel, names: Names): Promise<void> {
  await channel.assertExchange(names.events, 'topic', { durable: true });
  await channel.assertExchange(names.live, 'direct', { durable: true });
  await channel.assertExchange(names.executions, 'direct', { durable: true });
  await channel.assertExchange(names.control, 'fanout', { durable: true });
  await channel.assertExchange(names.deadLetters, 'fanout', { durable: true });
  await channel.assertQueue(names.deadLetters, {
    durable: true,
    arguments: { 'x-queue-type': 'quorum', 'x-max-length': 10_000 },
  });
  await channel.bindQueue(names.deadLetters, names.deadLetters, '');
  for (const priority of priorities) {
    await channel.assertQueue(names.executionQueue(priority), durableQueue(names));
    await channel.bindQueue(names.executionQueue(priority), names.executions, priority);
  }
}

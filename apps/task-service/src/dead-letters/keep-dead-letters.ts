import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { settle, tryAgain } from '@claude-cli/shared/amqp/retries';
import { declareTopology } from '@claude-cli/shared/amqp/topology';
import type { Context } from '../context.ts';
import { type Delivery, letterOf } from './dead-letter.ts';

/** Messages that are moved at once. */
const width = 10;

/**
 * Move dead letters out of the broker into the database, where they can be listed and replayed without being taken from
 * each other. The broker forgets a message when it is stored; one that is moved twice is stored once.
 */
export function keepDeadLetters({ bus, deadLetters, log }: Context): Promise<KeptChannel> {
  return bus.openChannel(async (channel) => {
    const closed = new AbortController();
    channel.once('close', () => closed.abort());
    // The queue may have been deleted while the connection held.
    await declareTopology(channel, bus.names);
    await channel.prefetch(width);
    const keep = async (delivery: Delivery) => {
      const { _id, ...letter } = letterOf(delivery);
      const end = await tryAgain(
        async () => void (await deadLetters.updateOne({ _id }, { $set: letter }, { upsert: true })),
        {
          limit: Number.POSITIVE_INFINITY,
          signal: closed.signal,
          failed: (err, attempt) => log.warn({ err, attempt }, 'a dead letter cannot be stored yet'),
        },
      );
      if (end !== 'done') return;
      settle(() => channel.ack(delivery));
      log.error({ dead_letter: _id, queue: letter.queue, reason: letter.reason }, 'a message lies aside');
    };
    await channel.consume(bus.names.deadLetters, (delivery) => {
      if (delivery === null) void channel.close().catch(() => {});
      else void keep(delivery);
    });
  });
}

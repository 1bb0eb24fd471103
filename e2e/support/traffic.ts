import { Bus } from '@claude-cli/shared/amqp/bus';
import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { priorities } from '@claude-cli/shared/amqp/topology';
import { eventPattern } from '@claude-cli/shared/event-routing';
import { createLogger } from '@claude-cli/shared/logger';

type Channel = NonNullable<KeptChannel['current']>;
type Message = Parameters<Parameters<Channel['consume']>[1]>[0] & {};

/** Messages that are remembered, the latest. */
const remembered = 300;

/** The messages by which executions are handed out and reported: seen, said again, and thrown away. */
export class Traffic implements AsyncDisposable {
  readonly #bus: Bus;
  readonly #seen: Message[] = [];
  #channel: KeptChannel | undefined;

  private constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** Watch the exchanges below a prefix. */
  static async watch(url: string, prefix: string): Promise<Traffic> {
    const traffic = new Traffic(await Bus.connect(url, prefix, createLogger('traffic', 'silent')));
    const { names } = traffic.#bus;
    traffic.#channel = await traffic.#bus.openChannel(async (channel) => {
      const { queue } = await channel.assertQueue('', { exclusive: true, autoDelete: true });
      for (const priority of priorities) await channel.bindQueue(queue, names.executions, priority);
      await channel.bindQueue(queue, names.events, eventPattern('execution.finished'));
      await channel.consume(queue, (message) => void (message && traffic.#remember(message)), { noAck: true });
    });
    return traffic;
  }

  /** Say everything that is remembered once more, in another order. @returns how many messages that were */
  async repeat(random: () => number): Promise<number> {
    const channel = this.#channel?.current;
    if (!channel) return 0;
    const again = this.#seen
      .map((message) => ({ message, place: random() }))
      .sort((a, b) => a.place - b.place)
      .map(({ message }) => message);
    for (const { fields, properties, content } of again) {
      channel.publish(fields.exchange, fields.routingKey, content, {
        persistent: true,
        headers: { ...properties.headers, [repeatedHeader]: true },
        contentType: properties.contentType,
        messageId: properties.messageId,
      });
    }
    await channel.waitForConfirms();
    return again.length;
  }

  /** Empty the queues of executions, or delete them with all that is in them, as a broker does that lost its data. */
  async wipe(how: 'purge' | 'delete'): Promise<void> {
    const channel = this.#channel?.current;
    for (const priority of priorities) {
      const queue = this.#bus.names.executionQueue(priority);
      if (how === 'purge') await channel?.purgeQueue(queue);
      else await channel?.deleteQueue(queue);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel?.[Symbol.asyncDispose]();
    await this.#bus[Symbol.asyncDispose]();
  }

  #remember(message: Message): void {
    if (message.properties.headers?.[repeatedHeader]) return;
    this.#seen.push(message);
    if (this.#seen.length > remembered) this.#seen.shift();
  }
}

/** Marks what was said again, so that it is not remembered once more. */
const repeatedHeader = 'x-repeated';

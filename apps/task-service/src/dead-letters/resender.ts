import type { Bus } from '@claude-cli/shared/amqp/bus';
import type { KeptChannel } from '@claude-cli/shared/amqp/kept-channel';
import { PlatformError } from '@claude-cli/shared/errors';
import type { DeadLetter } from './dead-letter.ts';

type Channel = NonNullable<KeptChannel['current']>;

/** How long the broker may take to confirm a message, in milliseconds. */
const confirmMs = 5_000;

/** Puts messages into queues by the names of the queues, one after the other. */
export class Resender implements AsyncDisposable {
  readonly #kept: KeptChannel;
  readonly #channel: Channel;
  #returned = false;

  private constructor(kept: KeptChannel, channel: Channel) {
    this.#kept = kept;
    this.#channel = channel;
    // The broker returns what it finds no queue for, and confirms it afterwards.
    channel.on('return', () => {
      this.#returned = true;
    });
  }

  /** @throws PlatformError SERVICE_UNAVAILABLE when the broker is away */
  static async open(bus: Bus): Promise<Resender> {
    if (!bus.connected) throw brokerAway();
    const kept = await bus.openChannel(async () => {});
    if (kept.current) return new Resender(kept, kept.current);
    await kept[Symbol.asyncDispose]();
    throw brokerAway();
  }

  /**
   * Put a message into a queue. Resolves when the queue has it; to be called again only then.
   * @returns false when there is no such queue
   * @throws PlatformError SERVICE_UNAVAILABLE when the broker does not take it; it may have it nevertheless
   */
  send(
    queue: string,
    letter: Pick<DeadLetter, 'content' | 'headers' | 'message_id' | 'content_type'>,
  ): Promise<boolean> {
    const { content, headers, message_id, content_type } = letter;
    const options = {
      persistent: true,
      mandatory: true,
      headers: JSON.parse(headers),
      ...(message_id !== null && { messageId: message_id }),
      ...(content_type !== null && { contentType: content_type }),
    };
    this.#returned = false;
    return new Promise<boolean>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('the broker did not confirm in time')), confirmMs);
      // Throws when the channel was lost.
      this.#channel.publish('', queue, Buffer.from(content ?? '', 'base64'), options, (error) => {
        clearTimeout(timer);
        if (error) reject(error);
        else resolve(!this.#returned);
      });
    }).catch((error) => {
      throw brokerAway(error);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#kept[Symbol.asyncDispose]();
  }
}

function brokerAway(cause?: unknown): PlatformError {
  return new PlatformError('SERVICE_UNAVAILABLE', 'The broker cannot be reached', { service: 'broker' }, cause);
}

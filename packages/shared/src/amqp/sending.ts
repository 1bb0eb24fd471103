import type { ConfirmChannel } from 'amqplib';
import { PlatformError } from '../errors.ts';
import type { Part } from './bundle.ts';

/** Of all that is sent. */
export const contentType = 'application/json';

/** How long the broker may take to confirm a message, in milliseconds. */
const confirmTimeoutMs = 10_000;

/** A body as it is sent. */
export function contentOf(body: unknown): Buffer {
  return Buffer.from(JSON.stringify(body));
}

/** The error for a broker that cannot be reached, or does not do what it should. */
export function brokerAway(message: string, cause?: unknown): PlatformError {
  return new PlatformError('SERVICE_UNAVAILABLE', message, { service: 'broker' }, cause);
}

/**
 * Send something by a channel that confirms. Resolves when the broker has it.
 * @param send is given what the channel calls then
 * @throws PlatformError SERVICE_UNAVAILABLE when the broker has not taken it within 10 s, or the channel is closed
 */
export function confirmed(send: (done: (error: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(brokerAway('the broker did not confirm in time')), confirmTimeoutMs);
    const done = (error: unknown) => {
      clearTimeout(timer);
      if (error) reject(brokerAway('the broker did not take a message', error));
      else resolve();
    };
    try {
      send(done);
    } catch (error) {
      done(error);
    }
  });
}

/** Put a part into the queue from which it came, as a message of its own. Resolves when the broker has it. */
export function sendAlone(
  channel: ConfirmChannel,
  queue: string,
  { id: messageId, headers, body }: Part,
): Promise<void> {
  const options = { persistent: true, contentType, messageId, headers };
  return confirmed((done) => channel.sendToQueue(queue, contentOf(body), options, done));
}

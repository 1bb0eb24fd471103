import { PlatformError } from '@claude-cli/shared/errors';
import type { OutboxEntry, WithOutbox } from '@claude-cli/shared/outbox';

/**
 * Events that may wait in one document. Each may carry settings before and after, so that the document stays below the
 * 16 MB that a database takes, however long the broker is away.
 */
export const maxWaiting = 100;

/** Refuse a change whose event would be one too many in the document. @throws PlatformError SERVICE_UNAVAILABLE */
export function requireRoom({ outbox }: Pick<WithOutbox<OutboxEntry>, 'outbox'>): void {
  if (outbox.length < maxWaiting) return;
  throw new PlatformError('SERVICE_UNAVAILABLE', 'Earlier changes are still waiting to be told, try again later', {
    waiting: outbox.length,
  });
}

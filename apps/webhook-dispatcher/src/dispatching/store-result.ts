import { tryAgain } from '@claude-cli/shared/amqp/retries';
import type { DisabledReason } from '../webhooks/webhook.ts';
import type { Result } from './results.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * Store what came of an attempt, and disable the webhook if that is what it means; tried until it is done or the process stops.
 * @param reason why the webhook is to be disabled, if it is
 */
export function storeResult(
  { results, disable, stopped, log }: Pick<Surroundings, 'results' | 'disable' | 'stopped' | 'log'>,
  result: Result,
  reason: DisabledReason | undefined,
): ReturnType<typeof tryAgain> {
  const { _id: delivery_id, webhook_id } = result.delivery;
  const failed = (err: unknown) => log.warn({ err, delivery_id }, 'a result waits to be stored');
  const store = async () => {
    await results.store(result);
    if (reason) await disable(webhook_id, reason);
  };
  return tryAgain(store, { limit: 3, signal: stopped, failed });
}

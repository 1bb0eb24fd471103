import type { Context } from '../context.ts';
import type { CancelReason } from './delivery.ts';

/** Cancel what waits for a webhook that is not active any more. */
export async function cancelWaiting(
  { deliveries }: Pick<Context, 'deliveries'>,
  webhook_id: string,
  cancel_reason: CancelReason,
): Promise<void> {
  await deliveries.updateMany(
    { webhook_id, status: 'pending' },
    { $set: { status: 'cancelled', cancel_reason, next_attempt_at: null, finished_at: new Date() } },
  );
}

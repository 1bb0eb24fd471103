import type { RotatedSecret, RotateSecretRequest } from '@claude-cli/proto/platform/v1/webhooks';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { closeSecret, keyIdAfter, newSecret, overlapMs } from '../secrets/secrets.ts';
import { changeWebhook } from './change-webhook.ts';

/**
 * Give a webhook a new secret. The one before it signs, too, for a day; the one before that, if it still did, no longer. The
 * answer is the only place where the new one is ever shown.
 */
export async function rotateSecret(
  ctx: Context,
  { webhook_id }: RotateSecretRequest,
  call: Call,
): Promise<RotatedSecret> {
  const secret = newSecret();
  const now = new Date();
  const expires_at = new Date(now.getTime() + overlapMs);
  await changeWebhook(ctx, webhook_id, call, (webhook) => {
    const [present] = webhook.secrets;
    const secrets = [closeSecret(ctx, secret, now), ...(present ? [{ ...present, expires_at }] : [])];
    return { set: { secrets, key_id: keyIdAfter(ctx, webhook) }, changed_fields: ['secret'] };
  });
  return { webhook_id, secret, previous_secret_expires_at: expires_at.toISOString() };
}

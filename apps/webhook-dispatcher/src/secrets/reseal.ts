import type { Context } from '../context.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import { closeHeaders, openHeaders, openSecrets } from './secrets.ts';

/** Webhooks that one run takes of each side of the key. */
const most = 100;

/**
 * Close what is still closed under an older key under the present one, so that the older one can be taken out of
 * WEBHOOK_ENCRYPTION_KEY: once the log has told that nothing is left.
 */
export async function reseal(ctx: Context): Promise<void> {
  const others = notUnder(ctx.seal.keyId);
  const found = await Promise.all(others.map((filter) => ctx.webhooks.find(filter).limit(most).lean<Webhook[]>()));
  const webhooks = found.flat();
  if (webhooks.length === 0) return;
  for (const webhook of webhooks) await resealOne(ctx, webhook);
  const counts = await Promise.all(others.map((filter) => ctx.webhooks.countDocuments(filter)));
  ctx.log.info(
    { left: counts.reduce((sum, count) => sum + count, 0) },
    'webhooks were encrypted under the present key',
  );
}

/** The filters for webhooks that are not closed under a key: each is a range of the index. */
export function notUnder(keyId: string) {
  return [{ key_id: { $lt: keyId } }, { key_id: { $gt: keyId } }];
}

async function resealOne(ctx: Context, webhook: Webhook): Promise<void> {
  const { webhooks, seal, log } = ctx;
  const now = new Date();
  try {
    const valid = webhook.secrets.filter(({ expires_at }) => expires_at === null || expires_at > now);
    const opened = openSecrets(ctx, webhook, now);
    const secrets = valid.map((stored, n) => ({ ...stored, sealed: seal.close(opened[n] ?? '') }));
    const headers = closeHeaders(ctx, openHeaders(ctx, webhook));
    // Nothing that others see changes, so it is neither a new version nor an event.
    const guard = { _id: webhook._id, version: webhook.version, key_id: webhook.key_id };
    await webhooks.updateOne(guard, { $set: { secrets, headers, key_id: seal.keyId } });
  } catch (err) {
    log.error({ err, webhook_id: webhook._id }, 'a webhook cannot be encrypted under the present key');
  }
}

import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { sealUnder } from '@claude-cli/shared/seal';
import { planOf } from '@claude-cli/shared/testing/plan';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Context } from '../context.ts';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newWebhook } from '../testing/requests.ts';
import type { Webhook } from '../webhooks/webhook.ts';
import { notUnder, reseal } from './reseal.ts';
import { openHeaders, openSecrets, overlapMs } from './secrets.ts';

const purpose = 'webhook secrets';
const nextKey = 'the next key: at least 32 characters long';

let platform: TestPlatform;
let someone: Origin;

beforeAll(async () => {
  platform = await startTestPlatform();
  someone = await platform.newUser();
});
afterAll(async () => platform[Symbol.asyncDispose]());

async function stored(id: string): Promise<Webhook> {
  const webhook = await platform.ctx.webhooks.findById(id).lean<Webhook>();
  if (!webhook) throw new Error('there is no such webhook');
  return webhook;
}

/** The same service after a change of WEBHOOK_ENCRYPTION_KEY. */
function under(...keys: string[]): Context {
  return { ...platform.ctx, seal: sealUnder(keys, purpose) };
}

describe('secrets of webhooks', () => {
  test('after a rotation the one before signs, too, for a day', async () => {
    const { webhooks, ctx } = platform;
    const first = await webhooks.createWebhook(newWebhook(), someone);
    const webhook_id = first.id;
    const second = await webhooks.rotateSecret({ webhook_id }, someone);
    expect(openSecrets(ctx, await stored(webhook_id))).toEqual([second.secret, first.secret]);
    const until = Date.parse(second.previous_secret_expires_at ?? '');
    expect(Math.abs(until - Date.now() - overlapMs)).toBeLessThan(60_000);
    expect(openSecrets(ctx, await stored(webhook_id), new Date(until - 1))).toHaveLength(2);
    expect(openSecrets(ctx, await stored(webhook_id), new Date(until))).toEqual([second.secret]);
    expect((await webhooks.getWebhook({ webhook_id }, someone)).previous_secret_expires_at).toBe(
      second.previous_secret_expires_at,
    );

    const third = await webhooks.rotateSecret({ webhook_id }, someone);
    expect(openSecrets(ctx, await stored(webhook_id))).toEqual([third.secret, second.secret]);
  });

  test('are encrypted anew when the key of the service is another, after which the older key is not needed', async () => {
    const { webhooks, env } = platform;
    const oldKey = env.WEBHOOK_ENCRYPTION_KEY ?? '';
    const headers = { Authorization: 'Bearer abc' };
    const { id, secret } = await webhooks.createWebhook(newWebhook({ headers }), someone);
    expect(() => openSecrets(under(nextKey), { secrets: [] })).not.toThrow();
    const before = await stored(id);
    expect(() => openSecrets(under(nextKey), before)).toThrow('WEBHOOK_ENCRYPTION_KEY');

    await reseal(under(nextKey, oldKey));
    const after = await stored(id);
    expect(openSecrets(under(nextKey), after)).toEqual([secret]);
    expect(openHeaders(under(nextKey), after)).toEqual(headers);
    expect(() => openSecrets(under(oldKey), after)).toThrow('WEBHOOK_ENCRYPTION_KEY');
    expect([after.version, after.updated_at]).toEqual([before.version, before.updated_at]);
    await reseal(under(oldKey, nextKey));
  });

  test('that a replica with the older key adds are found and encrypted anew, too', async () => {
    const { webhooks, env } = platform;
    const oldKey = env.WEBHOOK_ENCRYPTION_KEY ?? '';
    const { id: webhook_id, secret } = await webhooks.createWebhook(newWebhook(), someone);
    await reseal(under(nextKey, oldKey));
    // The service of the test has the older key alone: it can add, but not read what is there.
    await webhooks.updateWebhook(change(webhook_id, { headers: { 'X-Name': 'value' } }), someone);
    await reseal(under(nextKey, oldKey));
    const after = await stored(webhook_id);
    expect(openSecrets(under(nextKey), after)).toEqual([secret]);
    expect(openHeaders(under(nextKey), after)).toEqual({ 'X-Name': 'value' });
  });

  test('that are under an older key are found by an index', async () => {
    for (const filter of notUnder('abc')) {
      const plan = await planOf(platform.ctx.webhooks.find(filter));
      expect([plan.includes('IXSCAN'), plan.includes('COLLSCAN')]).toEqual([true, false]);
    }
  });
});

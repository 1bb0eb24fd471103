import type { Origin } from '@claude-cli/shared/grpc/interceptor';
import { newId } from '@claude-cli/shared/ids';
import { planOf, sortsByItself } from '@claude-cli/shared/testing/plan';
import { until } from '@claude-cli/shared/testing/until';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startTestPlatform, type TestPlatform } from '../testing/platform.ts';
import { change, newWebhook } from '../testing/requests.ts';

let platform: TestPlatform;
let someone: Origin;

beforeAll(async () => {
  platform = await startTestPlatform();
  someone = await platform.newUser();
});
afterAll(async () => platform[Symbol.asyncDispose]());

/** Everything that the store holds of a webhook, as text. */
async function storedText(webhook_id: string): Promise<string> {
  return JSON.stringify(await platform.ctx.webhooks.findById(webhook_id).lean());
}

describe('a webhook', () => {
  test('is created with a secret that is shown this once, and stored encrypted', async () => {
    const { webhooks } = platform;
    const created = await webhooks.createWebhook(newWebhook({ headers: { 'X-Token': 'a header secret' } }), someone);
    expect(created.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(created).toMatchObject({ owner_id: someone.caller.user_id, status: 'active', header_names: ['X-Token'] });

    const seen = JSON.stringify([
      await webhooks.getWebhook({ webhook_id: created.id }, someone),
      await webhooks.listWebhooks({}, someone),
    ]);
    const stored = await storedText(created.id);
    for (const secret of [created.secret, 'a header secret']) {
      expect(seen).not.toContain(secret);
      expect(stored).not.toContain(secret);
      expect(stored).not.toContain(Buffer.from(secret).toString('base64'));
    }
  });

  test('is one, with one secret, for all attempts of one request at the same time', async () => {
    const origin = { ...someone, creates: { id: newId(), again: true } };
    const attempts = Array.from({ length: 5 }, () => platform.webhooks.createWebhook(newWebhook(), origin));
    const made = await Promise.all(attempts);
    expect(made.map(({ id }) => id)).toEqual(attempts.map(() => origin.creates.id));
    expect(new Set(made.map(({ secret }) => secret)).size).toBe(1);
  });

  test('is changed in the fields that are given, and headers are replaced as a whole', async () => {
    const { webhooks } = platform;
    const headers = { 'X-One': '1', 'X-Two': '2' };
    const { id } = await webhooks.createWebhook(newWebhook({ description: 'a chat', headers }), someone);
    const events = ['task.failed', 'task.completed'];
    const changed = await webhooks.updateWebhook(change(id, { events, headers: { 'X-Three': '3' } }), someone);
    expect(changed).toMatchObject({ events, description: 'a chat', header_names: ['X-Three'] });
    const cleared = await webhooks.updateWebhook(change(id, { cleared_fields: ['headers', 'description'] }), someone);
    expect(cleared).toMatchObject({ events, description: '', header_names: [] });
    await expect(webhooks.updateWebhook(change(id, { cleared_fields: ['url'] }), someone)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: { field: 'url' },
    });
  });

  test.each([
    ['http://127.0.0.1:9000/'],
    ['http://2130706433/'],
    ['http://0x7f.1/'],
    ['http://[::ffff:10.0.0.1]/'],
    ['http://169.254.169.254/latest/meta-data'],
    ['http://localhost/'],
    ['https://user:password@example.com/'],
    ['ftp://example.com/'],
    ['https://example.com:22/'],
  ])('cannot lead to %s, neither when created nor when changed', async (url) => {
    const { webhooks } = platform;
    const refusal = { code: 'VALIDATION_ERROR', details: { field: 'url' } };
    await expect(webhooks.createWebhook(newWebhook({ url }), someone)).rejects.toMatchObject(refusal);
    const { id } = await webhooks.createWebhook(newWebhook(), await platform.newUser());
    await expect(webhooks.updateWebhook(change(id, { url }), platform.admin)).rejects.toMatchObject(refusal);
  });

  test('is paused, resumed and deleted, and each is told', async () => {
    const { webhooks, ctx } = platform;
    const told: { type: string; data: { webhook_id: string; url: string } }[] = [];
    const listening = await ctx.bus.subscribe<(typeof told)[number]>(
      { exchange: 'events', patterns: ['webhook.#'], prefetch: 10 },
      async (event) => void told.push(event),
    );
    const { id } = await webhooks.createWebhook(newWebhook(), someone);
    const paused = await webhooks.pauseWebhook({ webhook_id: id }, someone);
    expect(paused).toMatchObject({ status: 'paused', inactive_since: expect.any(String) });
    expect((await webhooks.listWebhooks({ status: 'paused' }, someone)).items.map((each) => each.id)).toEqual([id]);
    // Again is no change, and no news.
    await webhooks.pauseWebhook({ webhook_id: id }, someone);
    expect(await webhooks.resumeWebhook({ webhook_id: id }, someone)).toMatchObject({ status: 'active' });
    await webhooks.deleteWebhook({ webhook_id: id }, someone);
    const mine = () => told.filter(({ data }) => data.webhook_id === id);
    await until('four events', () => mine().length >= 4);
    await listening[Symbol.asyncDispose]();
    const types = ['created', 'updated', 'updated', 'deleted'].map((what) => `webhook.${what}`);
    expect(mine().map(({ type }) => type)).toEqual(types);
    // What may be secret in the URL is not told.
    expect(new Set(mine().map(({ data }) => data.url))).toEqual(new Set(['https://hooks.example.com/claude']));

    await expect(webhooks.getWebhook({ webhook_id: id }, someone)).rejects.toMatchObject({
      code: 'RESOURCE_NOT_FOUND',
    });
    expect(await ctx.webhooks.findById(id).lean()).toMatchObject({ secrets: [], headers: [] });
  });

  test('is one of 50 at most of a user', async () => {
    const { webhooks } = platform;
    const keen = await platform.newUser();
    for (let n = 0; n < 50; n++) await webhooks.createWebhook(newWebhook(), keen);
    await expect(webhooks.createWebhook(newWebhook(), keen)).rejects.toMatchObject({ code: 'RESOURCE_LIMIT_EXCEEDED' });
    const page = await webhooks.listWebhooks({ page: 2, page_size: 20 }, keen);
    expect([page.items.length, page.total]).toEqual([20, 50]);
  });

  test('is found by an index, in the order of the list', async () => {
    const { webhooks } = platform.ctx;
    const order = { created_at: -1, _id: -1 } as const;
    for (const filter of [
      { owner_id: newId(), deleted_at: null },
      { project_id: newId(), deleted_at: null },
    ]) {
      const plan = await planOf(webhooks.find(filter).sort(order));
      expect([plan.includes('IXSCAN'), sortsByItself(plan)]).toEqual([true, false]);
    }
    expect(sortsByItself(await planOf(webhooks.find({ deleted_at: null }).sort(order)))).toBe(false);
  });
});

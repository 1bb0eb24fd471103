import type { CreatedWebhook, CreateWebhookRequest } from '@claude-cli/proto/platform/v1/webhooks';
import { idForNew, makeOnce } from '@claude-cli/shared/creation';
import { PlatformError } from '@claude-cli/shared/errors';
import { newEvent } from '@claude-cli/shared/events';
import type { Call } from '@claude-cli/shared/grpc/server';
import type { Context } from '../context.ts';
import { newEndpoint } from '../dispatching/endpoint.ts';
import { closeHeaders, closeSecret, newSecret, openSecrets } from '../secrets/secrets.ts';
import { requireOwnerOf } from './find-webhook.ts';
import { checkHeaders, checkUrl, wantedEvents } from './rules.ts';
import { factsOf, toProto, type Webhook } from './webhook.ts';

/** Webhooks that a project may have, and that a user may have beyond projects. */
const maxWebhooks = 50;

/** Create a webhook. The answer is the only place where its secret is ever shown. */
export async function createWebhook(ctx: Context, request: CreateWebhookRequest, call: Call): Promise<CreatedWebhook> {
  const { url, project_id = null, headers } = request;
  const { user_id: owner_id } = call.caller;
  checkUrl(url, ctx.urlRules);
  checkHeaders(headers);
  const events = wantedEvents(request.events, project_id, call.caller);
  if (project_id !== null) {
    await requireOwnerOf(ctx, project_id, call);
    await ctx.access.checkWrite(project_id, call);
  }
  const find = async (_id: string) => {
    const made = await ctx.webhooks.findOne({ _id, owner_id }).lean();
    return made ? { ...toProto(made), secret: openSecrets(ctx, made)[0] ?? '' } : undefined;
  };
  return makeOnce(call, find, () => insertWebhook(ctx, request, events, call));
}

async function insertWebhook(
  ctx: Context,
  request: CreateWebhookRequest,
  events: string[],
  call: Call,
): Promise<CreatedWebhook> {
  const { url, project_id = null, description = '', headers } = request;
  const { user_id: owner_id, session_id } = call.caller;
  await requireRoom(ctx, owner_id, project_id);
  const secret = newSecret();
  const now = new Date();
  const settings = { _id: idForNew(call), owner_id, project_id, url, status: 'active' } as const;
  const about = { actor: owner_id, project_id, version: 1, session_id };
  const webhook: Webhook = {
    ...settings,
    events,
    description,
    headers: closeHeaders(ctx, headers),
    disabled_reason: null,
    inactive_since: null,
    secrets: [closeSecret(ctx, secret, now)],
    key_id: ctx.seal.keyId,
    failing_since: null,
    endpoint: newEndpoint,
    created_at: now,
    updated_at: now,
    version: 1,
    deleted_at: null,
    deleted_by: null,
    outbox: [newEvent('webhook.created', about, factsOf(settings))],
  };
  await ctx.webhooks.create(webhook);
  void ctx.webhookOutbox.flush(webhook);
  return { ...toProto(webhook), secret };
}

async function requireRoom({ webhooks }: Context, owner_id: string, project_id: string | null): Promise<void> {
  const scope = project_id === null ? { owner_id, project_id: null } : { project_id };
  const count = await webhooks.countDocuments({ ...scope, deleted_at: null }, { limit: maxWebhooks });
  if (count >= maxWebhooks) {
    throw new PlatformError('RESOURCE_LIMIT_EXCEEDED', 'Too many webhooks', { limit: maxWebhooks });
  }
}

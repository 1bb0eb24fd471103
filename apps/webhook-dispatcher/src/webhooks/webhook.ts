import type { Webhook as WebhookMessage } from '@claude-cli/proto/platform/v1/webhooks';
import { PlatformError } from '@claude-cli/shared/errors';
import type { AnyEvent, WebhookFacts } from '@claude-cli/shared/events';
import type { Aggregate } from '@claude-cli/shared/guarded-update';
import { outboxIndex } from '@claude-cli/shared/outbox';
import { type Connection, type Model, Schema } from 'mongoose';
import { claimIndex, type Endpoint, endpointSchema, newEndpoint } from '../dispatching/endpoint.ts';

/**
 * active: events are delivered; paused: by a person; disabled: because deliveries failed for days, or the receiver wanted no
 * more. What happens meanwhile is recorded for a while, so that it can be replayed.
 */
export type WebhookStatus = 'active' | 'paused' | 'disabled';

/** Why a webhook was disabled: the receiver failed for too long, or answered 410 Gone. */
export type DisabledReason = 'failing' | 'gone';

/** A secret that signs deliveries, as it is stored. */
export interface StoredSecret {
  /** Closed by the seal of the service. */
  sealed: Buffer;
  created_at: Date;
  /** When it stops signing; null for the one in use. */
  expires_at: Date | null;
}

/** A header that is sent with deliveries. Its value is often a secret of the receiver, so it is stored like one. */
export interface StoredHeader {
  name: string;
  /** Closed by the seal of the service. */
  sealed: Buffer;
}

/** A stored webhook: who is to be told of which events, and where. */
export interface Webhook extends Aggregate<AnyEvent> {
  /** Who created it. It is told of nothing that this user may not see. */
  owner_id: string;
  /** The project whose events are told; null: all that the owner may see. */
  project_id: string | null;
  url: string;
  /** Types of events, or '*'. */
  events: string[];
  description: string;
  headers: StoredHeader[];
  status: WebhookStatus;
  disabled_reason: DisabledReason | null;
  /** Since when it is not active; null while it is. */
  inactive_since: Date | null;
  /** Newest first, two at most: the one in use, and the one before it while that still signs. */
  secrets: StoredSecret[];
  /** Under which key of the service secrets and headers are closed. */
  key_id: string;
  /** Since when every delivery has failed; null when the latest one succeeded. */
  failing_since: Date | null;
  /** How it is being delivered to: written by the dispatchers alone, without a new version. */
  endpoint: Endpoint;
  created_at: Date;
}

/** Webhooks. */
export type WebhookModel = Model<Webhook>;

const schema = new Schema<Webhook>(
  {
    _id: { type: String, required: true },
    owner_id: { type: String, required: true },
    project_id: { type: String, default: null },
    url: { type: String, required: true },
    events: { type: [String], required: true },
    description: { type: String, default: '' },
    headers: { type: [{ _id: false, name: String, sealed: Buffer }], default: [] },
    status: { type: String, required: true },
    disabled_reason: { type: String, default: null },
    inactive_since: { type: Date, default: null },
    secrets: { type: [{ _id: false, sealed: Buffer, created_at: Date, expires_at: Date }], required: true },
    key_id: { type: String, required: true },
    failing_since: { type: Date, default: null },
    endpoint: { type: endpointSchema, default: () => ({ ...newEndpoint }) },
    created_at: { type: Date, required: true },
    updated_at: { type: Date, required: true },
    version: { type: Number, required: true },
    deleted_at: { type: Date, default: null },
    deleted_by: { type: String, default: null },
    outbox: { type: [Schema.Types.Mixed], default: [] } as never,
  },
  { collection: 'webhooks', versionKey: false, minimize: false },
);
// Lists: of a project, of an owner, of all.
schema.index({ project_id: 1, deleted_at: 1, created_at: -1, _id: -1 });
schema.index({ owner_id: 1, deleted_at: 1, created_at: -1, _id: -1 });
schema.index({ deleted_at: 1, created_at: -1, _id: -1 });
// Whom an event concerns.
schema.index({ project_id: 1, events: 1, deleted_at: 1 });
// Whom something is to be sent to.
schema.index(claimIndex);
// What is still closed under an older key.
schema.index({ key_id: 1 });
schema.index(...outboxIndex);

/** The webhooks of a database. */
export function webhookModel(connection: Connection): WebhookModel {
  return connection.model<Webhook>('Webhook', schema);
}

/** The error for a webhook that is not there, or is none of the caller's business. */
export function webhookNotFound(webhook_id: string): PlatformError {
  return new PlatformError('RESOURCE_NOT_FOUND', 'The webhook does not exist', { webhook_id });
}

/** Refuse to send to a webhook that is paused or disabled. @throws PlatformError RESOURCE_CONFLICT */
export function requireActive({ _id: webhook_id, status }: Pick<Webhook, '_id' | 'status'>): void {
  if (status === 'active') return;
  throw new PlatformError('RESOURCE_CONFLICT', `The webhook is ${status}; resume it first`, { webhook_id, status });
}

/** A URL without what may be secret in it: for events, logs and errors. */
function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** What events tell about a webhook. */
export function factsOf(webhook: Pick<Webhook, '_id' | 'url' | 'project_id' | 'owner_id' | 'status'>): WebhookFacts {
  const { _id: webhook_id, project_id, owner_id, status } = webhook;
  return { webhook_id, url: shownUrl(webhook.url), project_id, owner_id, status };
}

/** A webhook as the contract shows it: without secrets, and without the values of headers. */
export function toProto(webhook: Webhook): WebhookMessage {
  const now = new Date();
  const previous = webhook.secrets.find(({ expires_at }) => expires_at !== null && expires_at > now);
  return {
    id: webhook._id,
    owner_id: webhook.owner_id,
    project_id: webhook.project_id ?? undefined,
    url: webhook.url,
    events: webhook.events,
    description: webhook.description,
    header_names: webhook.headers.map(({ name }) => name),
    status: webhook.status,
    disabled_reason: webhook.disabled_reason ?? undefined,
    inactive_since: webhook.inactive_since?.toISOString(),
    failing_since: webhook.failing_since?.toISOString(),
    previous_secret_expires_at: previous?.expires_at?.toISOString(),
    created_at: webhook.created_at.toISOString(),
    updated_at: webhook.updated_at.toISOString(),
  };
}

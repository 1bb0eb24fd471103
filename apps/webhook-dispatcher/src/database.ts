import type { Database } from '@claude-cli/shared/migrations/database';
import { deliveryModel } from './deliveries/delivery.ts';
import { replayModel } from './replays/replay.ts';
import { webhookModel } from './webhooks/webhook.ts';

/** The database of webhook-dispatcher. */
export const database: Database = {
  name: 'webhooks',
  models: (connection) => [webhookModel(connection), deliveryModel(connection), replayModel(connection)],
};

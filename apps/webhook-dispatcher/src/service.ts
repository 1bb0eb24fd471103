import { WebhookServiceService } from '@claude-cli/proto/platform/v1/webhooks';
import { eventPattern } from '@claude-cli/shared/event-routing';
import type { AnyEvent } from '@claude-cli/shared/events';
import { serve } from '@claude-cli/shared/grpc/server';
import type { Service } from '@claude-cli/shared/service/service';
import { every } from '@claude-cli/shared/timer';
import { type Context, createContext, settingNames } from './context.ts';
import { getDelivery } from './deliveries/get-delivery.ts';
import { listDeliveries } from './deliveries/list-deliveries.ts';
import { redeliver } from './deliveries/redeliver.ts';
import { testWebhook } from './deliveries/test-webhook.ts';
import { Forgotten } from './dispatching/forgotten.ts';
import { listEventTypes } from './events/list-event-types.ts';
import { takeEvents } from './events/take-events.ts';
import { getReplay } from './replays/get-replay.ts';
import { runReplays } from './replays/run-replays.ts';
import { startReplay } from './replays/start-replay.ts';
import { reseal } from './secrets/reseal.ts';
import { getWebhookStatistics } from './statistics/get-webhook-statistics.ts';
import { createWebhook } from './webhooks/create-webhook.ts';
import { deleteWebhook } from './webhooks/delete-webhook.ts';
import { getWebhook } from './webhooks/get-webhook.ts';
import { listWebhooks } from './webhooks/list-webhooks.ts';
import { pauseWebhook } from './webhooks/pause-webhook.ts';
import { resumeWebhook } from './webhooks/resume-webhook.ts';
import { rotateSecret } from './webhooks/rotate-secret.ts';
import { updateWebhook } from './webhooks/update-webhook.ts';

/** Webhooks: who is to be told of what, and the deliveries. */
export const webhookDispatcher: Service<(typeof settingNames)[number], Context> = {
  name: 'webhook-dispatcher',
  settings: settingNames,
  context: createContext,
  serves: [
    serve(WebhookServiceService, {
      createWebhook,
      listWebhooks,
      listEventTypes,
      getWebhook,
      updateWebhook,
      deleteWebhook,
      pauseWebhook,
      resumeWebhook,
      rotateSecret,
      testWebhook,
      listDeliveries,
      getDelivery,
      redeliver,
      startReplay,
      getReplay,
      getWebhookStatistics,
    }),
  ],
  runs: [
    ({ bus, access, audience }) =>
      bus.subscribe<AnyEvent>(
        { exchange: 'events', patterns: [eventPattern('project')], prefetch: 100 },
        async (event) => {
          access.forget(event);
          audience.forget(event);
        },
      ),
    // Before what hands deliveries over to it, so that it stops after that.
    ({ dispatcher }) => dispatcher.start(),
    takeEvents,
    (ctx) => {
      const forgotten = new Forgotten(ctx);
      return every(10_000, 'looking for forgotten deliveries', () => forgotten.look(), ctx.log);
    },
    (ctx) => every(500, 'replaying', () => runReplays(ctx), ctx.log),
    (ctx) => every(20_000, 'encrypting under the present key', () => reseal(ctx), ctx.log),
    (ctx) => every(2_000, 'telling what was left in the webhook outbox', () => ctx.webhookOutbox.sweep(), ctx.log),
  ],
};

import type { Logger } from '@claude-cli/shared/logger';
import type { Seal } from '@claude-cli/shared/seal';
import type { DeliveryModel } from '../deliveries/delivery.ts';
import type { Limits } from '../sending/limits.ts';
import type { Sender } from '../sending/sender.ts';
import type { DisabledReason } from '../webhooks/webhook.ts';
import type { EndpointStore } from './endpoint-store.ts';
import type { Lately } from './lately.ts';
import type { Pace } from './pace.ts';
import type { Results } from './results.ts';
import type { Slots } from './slots.ts';
import type { Speeds } from './speeds.ts';
import type { Turn } from './turn.ts';

/** What turns share. */
export interface Surroundings {
  deliveries: DeliveryModel;
  endpoints: EndpointStore;
  results: Results;
  sender: Sender;
  slots: Slots;
  pace: Pace;
  /** Deliveries to fast endpoints may be sent before they are stored; for slow ones storing would wait for nothing. */
  speeds: Speeds;
  /** How many requests at once endpoints answered well. */
  windows: Lately<number>;
  seal: Seal;
  limits: Limits;
  /** Requests to one endpoint under way at once. */
  concurrency: number;
  log: Logger;
  /** How many turns there are, at least one. */
  turns(): number;
  /** Aborted when the process stops. */
  stopped: AbortSignal;
  disable(webhookId: string, reason: DisabledReason): Promise<void>;
  /** The endpoint is served by this turn no longer. */
  ended(turn: Turn): void;
}

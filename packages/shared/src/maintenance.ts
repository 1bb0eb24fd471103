import { type Maintenance, MaintenanceServiceService } from '@claude-cli/proto/platform/v1/maintenance';
import { serviceCaller } from './caller.ts';
import { PlatformError } from './errors.ts';
import type { RpcChannel, RpcClient } from './grpc/client.ts';
import { newId } from './ids.ts';
import type { Logger } from './logger.ts';
import { every } from './timer.ts';

/** Pause between looks, in milliseconds: so long a replica may go on after a maintenance was started at another one. */
const lookMs = 1_000;

/** Whether there is a maintenance, as a door has to know that lets writes in. */
export class MaintenanceWatch {
  readonly #maintenance: RpcClient<typeof MaintenanceServiceService>;
  readonly #service: string;
  readonly #log: Logger;
  #latest: Maintenance = { status: 'none' };

  /** @param service name of the app that watches */
  constructor(projectService: RpcChannel, service: string, log: Logger) {
    this.#maintenance = projectService.client(MaintenanceServiceService);
    this.#service = service;
    this.#log = log;
  }

  /** Look again and again until disposed. What was seen last holds while project-service cannot be reached. */
  start(): AsyncDisposable {
    void this.look();
    return every(lookMs, 'looking for a maintenance', () => this.look(), this.#log);
  }

  /** Look now. */
  async look(): Promise<void> {
    const origin = { caller: serviceCaller(this.#service), requestId: newId() };
    try {
      this.#latest = await this.#maintenance.getMaintenance({}, origin);
    } catch (thrown) {
      this.#log.debug({ code: PlatformError.from(thrown).code }, 'whether there is a maintenance cannot be known');
    }
  }

  /** Refuse a write during a maintenance. @throws PlatformError SYSTEM_MAINTENANCE */
  refuseWrites(now = Date.now()): void {
    const { status, message, starts_at, ends_at } = this.#latest;
    const begun = status === 'active' || (status === 'announced' && Date.parse(starts_at ?? '') <= now);
    const over = ends_at !== undefined && Date.parse(ends_at) <= now;
    if (!begun || over) return;
    throw new PlatformError('SYSTEM_MAINTENANCE', message ?? 'The system is in maintenance mode', {
      starts_at: starts_at ?? null,
      ends_at: ends_at ?? null,
      retry_at: ends_at ?? new Date(now + 60_000).toISOString(),
    });
  }
}

import type { RequestMetrics } from '@claude-cli/proto/platform/v1/system';

const seconds = 60;

interface Second {
  at: number;
  requests: number;
  faults: number;
  milliseconds: number;
}

/** How the last minute of requests went: one slot per second, overwritten a minute later. */
export class RequestWindow {
  readonly #slots: Second[] = Array.from({ length: seconds }, () => ({
    at: -1,
    requests: 0,
    faults: 0,
    milliseconds: 0,
  }));

  /** Count a request that was answered. */
  add(status: number, milliseconds: number, now = Date.now()): void {
    const at = Math.floor(now / 1000);
    const slot = this.#slots[at % seconds];
    if (!slot) return;
    if (slot.at !== at) Object.assign(slot, { at, requests: 0, faults: 0, milliseconds: 0 });
    slot.requests++;
    slot.milliseconds += milliseconds;
    if (status >= 500) slot.faults++;
  }

  /** The sums of the last 60 seconds. */
  metrics(now = Date.now()): RequestMetrics {
    const since = Math.floor(now / 1000) - seconds;
    const sum = { requests: 0, faults: 0, milliseconds: 0 };
    for (const slot of this.#slots) {
      if (slot.at <= since) continue;
      sum.requests += slot.requests;
      sum.faults += slot.faults;
      sum.milliseconds += slot.milliseconds;
    }
    return {
      requests_per_minute: sum.requests,
      average_response_time: sum.requests === 0 ? 0 : round(sum.milliseconds / sum.requests, 100),
      error_rate: sum.requests === 0 ? 0 : round(sum.faults / sum.requests, 10_000),
    };
  }
}

function round(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}

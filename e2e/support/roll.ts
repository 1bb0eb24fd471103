import { setTimeout as delay } from 'node:timers/promises';
import type { Platform } from '../../scripts/platform/platform.ts';
import { poll } from '../../scripts/platform/poll.ts';
import type { ServiceName } from '../../scripts/platform/services.ts';

const endedWithinMs = 60_000;
/** How long callers may take to find a replica again, in milliseconds: they look for one that was away twice a second. */
const foundWithinMs = 700;

/** How long a replica took, in milliseconds. */
export interface Rolled {
  /** From being asked to end until it was gone. */
  stopped: number;
  /** From then on until its successor worked. */
  started: number;
}

/**
 * Replace the replicas of a service one after the other, as an upgrade does: nobody more is led to one, it is asked to end, and
 * the next one follows when its successor works and has been found.
 */
export async function roll(platform: Platform, service: ServiceName): Promise<Rolled[]> {
  const rolled: Rolled[] = [];
  for (const { process, setInService } of platform.replicas(service)) {
    const begun = performance.now();
    setInService(false);
    const before = process.kill('SIGTERM');
    const ended = await poll(() => process.pid !== before || undefined, { timeoutMs: endedWithinMs, intervalMs: 20 });
    if (!ended) throw new Error(`${service} did not end within ${endedWithinMs / 1000} s`);
    const stopped = performance.now() - begun;
    await process.ready();
    setInService(true);
    if (service !== 'gateway') await delay(foundWithinMs);
    rolled.push({ stopped: Math.round(stopped), started: Math.round(performance.now() - begun - stopped) });
  }
  return rolled;
}

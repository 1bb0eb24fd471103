import { type Priority, priorities, shares } from '@claude-cli/shared/amqp/topology';

/** Duration that is assumed while nothing has been measured, in milliseconds. */
export const assumedRunMs = 60_000;

/**
 * Place in the order of service, from 1. Runners serve in rounds: as many of each queue as its share, high before normal
 * before low. So what is ahead are those that wait in the same queue since earlier, and of each other queue its shares of
 * the rounds before one's own (for a higher queue, of one's own round too), but no more than wait there.
 * @param earlier executions that wait in the same queue since earlier
 * @param waiting executions that wait in each queue and may start; that of the same queue is not looked at
 */
export function placeOf(priority: Priority, earlier: number, waiting: Readonly<Record<Priority, number>>): number {
  const turn = earlier + 1;
  const round = Math.ceil(turn / shares[priority]);
  const others = priorities.filter((other) => other !== priority);
  const ahead = others.map((other) => {
    const higher = priorities.indexOf(other) < priorities.indexOf(priority);
    return Math.min(waiting[other], shares[other] * (higher ? round : round - 1));
  });
  return ahead.reduce((sum, count) => sum + count, turn);
}

/** What the runners are doing. */
export interface Outlook {
  /** Slots of all runners that are there. */
  slots: number;
  /** Executions that run. */
  running: number;
  /** For how long they have been running, in milliseconds; of very many a part. */
  elapsedMs: readonly number[];
  /** Mean duration of recent runs, in milliseconds, above 0. */
  meanMs: number;
}

/**
 * Milliseconds until the execution at a place should start, when every run takes the mean of recent ones: free slots start
 * one at once; a busy slot is free when its run has taken the mean (a run that has taken longer counts as one that began
 * again); each one ahead takes the slot that is free first, for the mean. Where no runner is there, it is the time as if
 * one with a single slot came now.
 */
export function waitOf(place: number, { slots, running, elapsedMs, meanMs }: Outlook): number {
  const served = Math.max(1, slots);
  const busy = Math.min(running, elapsedMs.length === 0 ? 0 : served);
  const remaining = elapsedMs.map((elapsed) => meanMs - (elapsed % meanMs)).sort((a, b) => a - b);
  const ahead = place - 1;
  // All runs being equally long, slots become free again and again in the same order.
  const slot = (ahead % served) - (served - busy);
  const first = slot < 0 ? 0 : (remaining[Math.floor((slot * remaining.length) / busy)] ?? 0);
  return first + meanMs * Math.floor(ahead / served);
}

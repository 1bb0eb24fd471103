import type { EventEmitter } from 'node:events';

/** How often it is looked whether the driver has asked, in milliseconds, and how many looks in vain are too many. */
export interface HeartbeatLooks {
  everyMs: number;
  most: number;
}

/** Together two minutes: the driver asks 10 s after an answer, for which it waits 30 s at most. */
const usualLooks: HeartbeatLooks = { everyMs: 15_000, most: 8 };

const heartbeats = ['serverHeartbeatStarted', 'serverHeartbeatSucceeded', 'serverHeartbeatFailed'];

/**
 * Watch that the driver of MongoDB goes on asking its servers how they are, which it does whether they answer or not. One was seen
 * to stop for good: its process had stood still, as it does with its machine, at the moment at which the database died. It found
 * no server again, so the process has to begin anew. Looks are counted, not time, since all time may stand still.
 * @param client the driver's
 * @param stopped called, once, when it has stopped; throws by default, which ends a service
 */
export function watchHeartbeats(
  client: EventEmitter,
  { everyMs, most }: HeartbeatLooks = usualLooks,
  stopped: () => void = () => {
    throw new Error('the driver of the database has stopped asking for its servers');
  },
): Disposable {
  let inVain = 0;
  const heard = () => {
    inVain = 0;
  };
  for (const name of heartbeats) client.on(name, heard);
  const timer = setInterval(() => {
    if (++inVain < most) return;
    clearInterval(timer);
    stopped();
  }, everyMs).unref();
  return {
    [Symbol.dispose]: () => {
      clearInterval(timer);
      for (const name of heartbeats) client.off(name, heard);
    },
  };
}

import { setTimeout } from 'node:timers/promises';
import type { Context } from '../context.ts';

/** Parts of the grace period: for commands to end by themselves, and between SIGTERM and SIGKILL for the others. */
const parts = { finish: 0.6, kill: 0.1 };

/** When stopped, lets running commands finish for a while; the others are killed and reported as failed. */
export function drainOnStop(ctx: Context): AsyncDisposable {
  const grace = ctx.config.SHUTDOWN_GRACE_MS;
  return {
    [Symbol.asyncDispose]: async () => {
      const running = ctx.running.all();
      if (running.length === 0) return;
      ctx.log.info({ running: running.length }, 'waiting for running commands');
      const ended = Promise.all(running.map((command) => command.ended));
      const finished = new AbortController();
      await Promise.race([
        ended,
        setTimeout(grace * parts.finish, undefined, { signal: finished.signal }).catch(() => {}),
      ]);
      finished.abort();
      for (const command of ctx.running.all()) command.stop('runner stopped', grace * parts.kill);
      await ended;
    },
  };
}

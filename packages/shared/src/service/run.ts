import { createLogger } from '../logger.ts';
import type { SettingName } from '../settings.ts';
import { readSettings } from '../settings.ts';
import { type Service, startService } from './service.ts';

/**
 * Run a service as this process: started from the environment, stopped cleanly by SIGTERM or SIGINT, or when the parent
 * that forked it is gone. Exits with 1, and one clear line, when it cannot start.
 */
export async function runService<Name extends SettingName, Context>(service: Service<Name, Context>): Promise<void> {
  const log = createLogger(service.name, process.env.LOG_LEVEL ?? 'info');
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'uncaught exception');
    process.exit(1);
  });
  let stop: (reason: string) => void = () => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal));
  process.on('disconnect', () => stop('the parent process is gone'));
  // It may have gone while the modules were loading.
  if (process.connected === false) process.exit(0);

  const running = await startService(service, process.env).catch((err) => {
    log.fatal({ err: { message: err.message } }, `cannot start: ${err.message}`);
    process.exit(1);
  });
  const { SHUTDOWN_GRACE_MS } = readSettings(['SHUTDOWN_GRACE_MS'], process.env);
  let stopping = false;
  stop = (reason) => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error('not stopped within the grace period, exiting');
      process.exit(1);
    }, SHUTDOWN_GRACE_MS).unref();
    running[Symbol.asyncDispose]().then(
      () => process.exit(0),
      (err) => {
        log.error({ err }, 'stopping failed');
        process.exit(1);
      },
    );
  };
}

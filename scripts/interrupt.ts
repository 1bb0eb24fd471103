// npm and the terminal both pass Ctrl-C on, so that one press arrives more than once.
const samePressMs = 1_000;

/**
 * A signal that aborts when somebody asks this process to end: Ctrl-C, SIGTERM, a closed terminal, or the death of the
 * process that started it. Asked again, the process ends at once; children that learn of it by their pipes end too.
 */
export function onInterrupt(): AbortSignal {
  const controller = new AbortController();
  let asked = 0;
  const ask = (exitCode: number) => {
    if (asked === 0) {
      asked = Date.now();
      process.exitCode = exitCode;
      controller.abort(new Error('interrupted'));
    } else if (Date.now() - asked > samePressMs) {
      process.exit(exitCode);
    }
  };
  process.on('SIGINT', () => ask(130));
  process.on('SIGTERM', () => ask(143));
  process.on('SIGHUP', () => ask(129));
  process.once('disconnect', () => ask(143));
  process.channel?.unref();
  return controller.signal;
}

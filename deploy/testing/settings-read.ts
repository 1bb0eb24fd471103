import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** How long a service may take to become ready and to stop, in milliseconds. */
const timeoutMs = 60_000;

/**
 * Start a service by an environment, and by nothing else, in a process of its own.
 * @returns the names of the variables that it read until it was ready
 * @throws Error with what it wrote when it does not become ready
 */
export async function settingsRead(service: string, env: NodeJS.ProcessEnv): Promise<Set<string>> {
  const script = fileURLToPath(new URL('./tell-settings.ts', import.meta.url));
  const child = fork(script, [service], { env, execArgv: [], silent: true, timeout: timeoutMs });
  let read: string[] | undefined;
  let said = '';
  child.on('message', (names: string[]) => {
    read = names;
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (text: Buffer) => {
      said = (said + text).slice(-4_000);
    });
  }
  await once(child, 'close');
  if (!read) throw new Error(`${service} does not start: ${said}`);
  return new Set(read);
}

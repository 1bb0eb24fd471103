import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { root } from './platform/paths.ts';

const bin = join(root, 'node_modules/.bin');

/** How a tool of node_modules/.bin is run. */
export interface ToolOptions {
  env?: NodeJS.ProcessEnv | undefined;
  cwd?: string | undefined;
  signal?: AbortSignal | undefined;
  /** Keep what it writes for the case that it fails. */
  quiet?: boolean;
}

/** Exit code of a tool. It and what it started end when the signal aborts. */
export function runTool(name: string, args: string[], options: ToolOptions = {}): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const child = spawn(join(bin, name), args, {
    cwd: options.cwd ?? root,
    // The pinned Node before any other, also for what the tool starts.
    env: {
      TURBO_TELEMETRY_DISABLED: '1',
      ...process.env,
      ...options.env,
      PATH: `${bin}${delimiter}${process.env.PATH}`,
    },
    stdio: ['ignore', options.quiet ? 'pipe' : 'inherit', options.quiet ? 'pipe' : 'inherit'],
  });
  const kept: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => kept.push(chunk));
  const stop = () => child.kill('SIGTERM');
  options.signal?.addEventListener('abort', stop, { once: true });
  child.on('error', reject);
  child.on('close', (code) => {
    options.signal?.removeEventListener('abort', stop);
    if (code !== 0 && !options.signal?.aborted) process.stderr.write(Buffer.concat(kept));
    resolve(code ?? 1);
  });
  return promise;
}

/** Generate code from the contract where that is not done yet. Says nothing unless it fails. */
export function generate(signal?: AbortSignal): Promise<number> {
  return runTool('turbo', ['run', 'generate', '--output-logs=errors-only'], { signal, quiet: true });
}

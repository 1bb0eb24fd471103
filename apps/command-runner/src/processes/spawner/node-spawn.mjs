// Starts processes by what Node offers: everywhere, and as another user, which posix-spawn.mjs cannot.
import { spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { constants } from 'node:os';

/** A process, and where it writes to: stdout, stderr and, where they are asked for, its times. @typedef {{ pid: number, pipes: Socket[] }} Started */

/**
 * Who hears of a process that was started, or could not be.
 * @typedef {object} Hears
 * @property {(code: number | null, signal: number | null) => void} exited called once; by the number of a signal where one ended it
 * @property {(code: string) => void} failed called instead of it where nothing was started and nothing is thrown
 */

/**
 * Starts a process in a session of its own. Throws an Error with a code, or answers undefined and tells it, when it cannot.
 * @typedef {(order: import('./spawner.ts').StartOrder, hears: Hears) => Started | undefined} Start
 */

/** @type {Start} */
export function nodeSpawn({ file, args, times, ...options }, { exited, failed }) {
  const stdio = /** @type {const} */ (['ignore', 'pipe', 'pipe']);
  const child = spawn(file, args, { ...options, detached: true, stdio: times ? [...stdio, 'pipe'] : [...stdio] });
  const { pid } = child;
  if (pid === undefined) {
    child.once('error', (/** @type {NodeJS.ErrnoException} */ error) => failed(error.code ?? error.message));
    return undefined;
  }
  child.on('error', () => {});
  child.once('exit', (code, signal) =>
    exited(code, signal === null ? null : (constants.signals[signal] ?? constants.signals.SIGKILL)),
  );
  return { pid, pipes: child.stdio.filter((pipe) => pipe instanceof Socket) };
}

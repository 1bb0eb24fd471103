import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Says that standard input holds the rest of the environment. */
const markName = 'ENVIRONMENT_ON_STDIN';

/** What Node reads before any of our code runs, and what is no secret. */
const visible = /^(NODE_\w+|PATH|HOME|LANG|LC_[A-Z]+|TZ|TMPDIR|SSL_CERT_(FILE|DIR))$/;

/**
 * Take the environment of this process out of the sight of processes of the same user, for whom it stays readable in
 * /proc however much of it is deleted later. To be called before anything else is loaded: the first call starts this
 * process anew, with the same process id, the environment in a file without a name as its standard input, and the
 * signal that opens the debugger switched off; the call after that takes the environment back and empties the file.
 *
 * Does nothing in a child of `fork`, which would lose the channel to its parent, and where a process cannot be replaced.
 */
export function hideEnvironment(): void {
  if (process.env[markName] === undefined) {
    startAnew();
  } else {
    delete process.env[markName];
    Object.assign(process.env, JSON.parse(readFileSync(0, 'utf8')));
    ftruncateSync(0);
  }
}

function startAnew(): void {
  if (process.platform !== 'linux' || process.connected || !process.execve) return;
  const entries = Object.entries(process.env);
  const kept = Object.fromEntries(entries.filter(([name]) => visible.test(name)));
  const hidden = Object.fromEntries(entries.filter(([name]) => !visible.test(name)));
  const directory = mkdtempSync(join(tmpdir(), 'environment-'));
  // Standard input is the only descriptor that outlives the replacement; the lowest that is free is the next to be opened.
  closeSync(0);
  const stdin = openSync(join(directory, 'x'), 'wx+', 0o600);
  rmSync(directory, { recursive: true });
  if (stdin !== 0) throw new Error('standard input cannot be replaced');
  // At a position, so that it is read from the start.
  writeSync(stdin, JSON.stringify(hidden), 0);
  const args = [process.execPath, ...process.execArgv, '--disable-sigusr1', ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...(kept as Record<string, string>), [markName]: '1' });
}

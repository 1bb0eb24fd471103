import { accessSync, constants, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity, signalGroup } from './process-identity.ts';
import { hasCode, SetupError } from './setup-error.ts';

/** The data directory while we hold it: nobody else may, and what we start is on record in it. */
export interface DataDir extends AsyncDisposable {
  path: string;
  /** Note a child, so that the next start can end it should we be killed before it is. */
  record(name: string, pid: number): void;
  /** The child has ended. */
  forget(pid: number): void;
}

interface LockFile {
  owner: ProcessIdentity;
  children: ProcessIdentity[];
}

/** Make the directory, take its lock, and end what a killed owner left running. */
export async function openDataDir(path: string): Promise<DataDir> {
  const dir = resolve(path);
  makeWritable(dir);
  const file = join(dir, 'platform.lock');
  const owner = identify('platform', process.pid);
  if (!owner) throw new Error('cannot identify this process');
  const lock: LockFile = { owner, children: [] };
  await takeLock(dir, file, lock);
  let released = false;
  const save = () => {
    if (!released) replace(file, lock);
  };
  return {
    path: dir,
    record(name, pid) {
      const child = identify(name, pid);
      if (child) lock.children.push(child);
      save();
    },
    forget(pid) {
      lock.children = lock.children.filter((child) => child.pid !== pid);
      save();
    },
    async [Symbol.asyncDispose]() {
      released = true;
      rmSync(file, { force: true });
    },
  };
}

function makeWritable(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.W_OK | constants.X_OK);
  } catch {
    throw new SetupError(
      `Cannot write to the data directory ${dir}: make it writable, or name another one with DATA_DIR.`,
    );
  }
}

async function takeLock(dir: string, file: string, lock: LockFile): Promise<void> {
  const mine = `${file}.${process.pid}`;
  writeFileSync(mine, JSON.stringify(lock), { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 10; attempt++) {
      if (tryLink(mine, file)) return;
      await clearStale(dir, file);
    }
    throw inUse(dir, undefined);
  } finally {
    rmSync(mine, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) return false;
    throw cause;
  }
}

/** Remove the lock of an owner that is gone, after ending its children. @throws SetupError when the owner lives */
async function clearStale(dir: string, file: string): Promise<void> {
  const stale = read(file);
  if (stale && isRunning(stale.owner)) throw inUse(dir, stale.owner.pid);
  await endAll(stale?.children ?? []);
  // Of several starts that get here one moves the stale file away; one that moved a new lock by mistake puts it back.
  const moved = `${file}.stale.${process.pid}`;
  try {
    renameSync(file, moved);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return;
    throw cause;
  }
  const got = read(moved);
  if (got && isRunning(got.owner)) tryLink(moved, file);
  rmSync(moved, { force: true });
}

async function endAll(children: ProcessIdentity[]): Promise<void> {
  // In reverse: the doors before the stores that they use.
  for (const child of children.toReversed()) {
    if (!isRunning(child)) continue;
    signalGroup(child.pid, 'SIGTERM');
    const deadline = Date.now() + 5_000;
    while (isRunning(child) && Date.now() < deadline) await delay(50);
    if (isRunning(child)) signalGroup(child.pid, 'SIGKILL');
  }
}

function inUse(dir: string, pid: number | undefined): SetupError {
  const who = pid === undefined ? 'another platform' : `a platform that runs as process ${pid}`;
  return new SetupError(
    `The data directory ${dir} is in use by ${who}: stop it, or name another directory with DATA_DIR.`,
  );
}

function read(file: string): LockFile | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockFile;
  } catch {
    return undefined;
  }
}

function replace(file: string, lock: LockFile): void {
  const aside = `${file}.${process.pid}`;
  writeFileSync(aside, JSON.stringify(lock), { mode: 0o600 });
  renameSync(aside, file);
}

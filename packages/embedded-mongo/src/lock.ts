import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

/** When a process began, in a form that only this process has; undefined when it is not alive. */
function birthOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
  }
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    // No /proc: another Unix.
  }
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return 'unknown';
  }
}

/**
 * Takes the folder for this process, by a file that names it. A lock left by a process that is gone, or whose number
 * another process has by now, is taken over.
 * @returns gives the folder back
 * @throws Error when another server has it, in this process or another
 */
export function lockFolder(dir: string): () => void {
  const file = path.join(dir, 'lock');
  for (;;) {
    try {
      fs.writeFileSync(file, JSON.stringify({ pid: process.pid, birth: birthOf(process.pid) }), {
        flag: 'wx',
        mode: 0o600,
      });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const text = readIfThere(file);
    const owner = ownerOf(text);
    const inUse = new Error(`${dir} is in use by another server (process ${owner?.pid ?? 'unknown'})`);
    if (owner && birthOf(owner.pid) === owner.birth) throw inUse;
    if (!removeExactly(file, text)) throw inUse;
  }
}

function readIfThere(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** Removes the file, unless another process has put its own there meanwhile: then that is put back. */
function removeExactly(file: string, text: string): boolean {
  const aside = `${file}.${process.pid}`;
  try {
    fs.renameSync(file, aside);
  } catch {
    return true;
  }
  const same = readIfThere(aside) === text;
  if (!same) fs.renameSync(aside, file);
  else fs.rmSync(aside);
  return same;
}

function ownerOf(text: string): { pid: number; birth: string } | undefined {
  try {
    const owner = JSON.parse(text) as { pid?: unknown; birth?: unknown };
    if (typeof owner.pid === 'number' && typeof owner.birth === 'string') return { pid: owner.pid, birth: owner.birth };
  } catch {
    // Cut short by a crash: nobody's.
  }
  return undefined;
}

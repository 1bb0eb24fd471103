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
    const owner = ownerOf(file);
    if (owner && birthOf(owner.pid) === owner.birth) {
      throw new Error(`${dir} is in use by another server (process ${owner.pid})`);
    }
    fs.rmSync(file, { force: true });
  }
}

function ownerOf(file: string): { pid: number; birth: string } | undefined {
  try {
    const owner = JSON.parse(fs.readFileSync(file, 'utf8')) as { pid?: unknown; birth?: unknown };
    if (typeof owner.pid === 'number' && typeof owner.birth === 'string') return { pid: owner.pid, birth: owner.birth };
  } catch {
    // Gone meanwhile, or cut short by a crash: nobody's.
  }
  return undefined;
}

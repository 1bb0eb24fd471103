import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that is gone when it is disposed of. */
export interface TempDir extends Disposable {
  path: string;
}

/** Make an empty directory that nobody else uses. */
export function makeTempDir(): TempDir {
  const path = mkdtempSync(join(tmpdir(), 'claude-cli-'));
  return {
    path,
    // A program that was just killed may still be writing into it.
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
  };
}

import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** Processes of this machine whose command line has a text. */
export function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

/** Seconds for `sleep`, by which the processes of one test are known: those of no neighbour have that number. */
export function uniqueSeconds(): string {
  return String(randomInt(1e9, 1e10));
}

// Usage: fork(this file, [concurrency, milliseconds]); sends how many processes were started and ended in a second.
import { spawn } from 'node:child_process';

const [concurrency = 1, forMs = 1_000] = process.argv.slice(2).map(Number);
const started = performance.now();
let ended = 0;

function startOne(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', 'true'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.resume();
    child.stderr.resume();
    child.once('error', reject);
    child.once('close', () => resolve());
  });
}

async function work(): Promise<void> {
  while (performance.now() - started < forMs) {
    await startOne();
    ended++;
  }
}

await Promise.all(Array.from({ length: concurrency }, work));
process.send?.((ended * 1000) / (performance.now() - started));
process.disconnect();

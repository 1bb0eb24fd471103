import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Child, spawnKept } from './child.ts';
import { type DataDir, openDataDir } from './data-dir.ts';
import { poll } from './poll.ts';
import { identify } from './process-identity.ts';
import { Supervised, type SupervisedOptions } from './supervised.ts';
import { makeTempDir, type TempDir } from './temp-dir.ts';

let temp: TempDir;
let dataDir: DataDir;

beforeEach(async () => {
  temp = makeTempDir();
  dataDir = await openDataDir(temp.path);
});
afterEach(async () => {
  await dataDir[Symbol.asyncDispose]();
  temp[Symbol.dispose]();
});

function shell(command: string, onLine: (line: string) => void): Promise<Child> {
  return spawnKept('/bin/sh', ['-c', command], { name: 'part', cwd: temp.path, env: process.env, dataDir, onLine });
}

function supervise(command: string, more: Partial<SupervisedOptions> = {}): Supervised {
  return new Supervised({
    name: 'part',
    start: (onLine) => shell(command, onLine),
    isReady: async () => true,
    readyTimeoutMs: 10_000,
    graceMs: 500,
    onGiveUp: () => {},
    ...more,
  });
}

test('what dies is started again', async () => {
  const part = supervise('exec sleep 300');
  await part.start();
  const first = part.kill('SIGKILL');
  await part.ready();
  expect(part.pid).not.toBe(first);
  await part.stop();
});

test('what dies young five times is given up, with what it wrote last', async () => {
  const { promise, resolve } = Promise.withResolvers<Error>();
  let starts = 0;
  const start = (onLine: (line: string) => void) => {
    starts++;
    return shell('echo the reason; exit 3', onLine);
  };
  const part = supervise('', { start, onGiveUp: resolve });
  await part.start();
  expect((await promise).message).toMatch(
    /part ended unexpectedly \(exit code 3\) 5 times in a row\. It wrote last:\n {2}the reason/,
  );
  expect(starts).toBe(5);
  await part.stop();
});

test('what is not ready in time is named', async () => {
  const part = supervise('exec sleep 300', { isReady: async () => false, readyTimeoutMs: 100 });
  await part.start();
  await expect(part.ready()).rejects.toThrow('part is not ready after 0.1 s.');
  await part.stop();
});

test('what ignores being asked is killed with everything that it started', async () => {
  const lines: string[] = [];
  const part = supervise(`trap '' TERM; sleep 300 & echo $!; echo $$; while :; do sleep 1; done`, {
    onLine: (line) => lines.push(line),
  });
  await part.start();
  await poll(() => lines.length === 2 || undefined, { timeoutMs: 5_000 });
  await part.stop();
  const left = await poll(() => lines.every((pid) => !identify('left', Number(pid))) || undefined, {
    timeoutMs: 5_000,
  });
  expect(left).toBe(true);
});

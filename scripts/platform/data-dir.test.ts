import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { openDataDir } from './data-dir.ts';
import { identify, isRunning } from './process-identity.ts';
import { loadSecrets } from './secrets.ts';
import { makeTempDir } from './temp-dir.ts';

const gone = { name: 'platform', pid: 2 ** 22 + 1, started: 'never' };

test('only one platform has a data directory at a time', async () => {
  using temp = makeTempDir();
  {
    await using _first = await openDataDir(temp.path);
    await expect(openDataDir(temp.path)).rejects.toThrow(/in use by a platform that runs as process/);
  }
  await using _second = await openDataDir(temp.path);
});

test('of several that start at once where one was killed, one gets it', async () => {
  using temp = makeTempDir();
  writeFileSync(join(temp.path, 'platform.lock'), JSON.stringify({ owner: gone, children: [] }));
  const results = await Promise.allSettled([1, 2, 3].map(() => openDataDir(temp.path)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('what a killed platform left running is ended by the next start', async () => {
  using temp = makeTempDir();
  const orphan = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  await once(orphan, 'spawn');
  const child = identify('orphan', Number(orphan.pid));
  if (!child) throw new Error('not started');
  writeFileSync(join(temp.path, 'platform.lock'), JSON.stringify({ owner: gone, children: [child] }));
  await using _next = await openDataDir(temp.path);
  expect(isRunning(child)).toBe(false);
});

test('a process that only has the pid of one that we started is left alone', async () => {
  using temp = makeTempDir();
  const other = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
  await once(other, 'spawn');
  const ours = { name: 'child', pid: Number(other.pid), started: 'at another time' };
  writeFileSync(join(temp.path, 'platform.lock'), JSON.stringify({ owner: gone, children: [ours] }));
  await using _next = await openDataDir(temp.path);
  expect(identify('other', ours.pid)).toBeDefined();
  other.kill();
});

test('a directory that cannot be written to is named', async () => {
  await expect(openDataDir('/dev/null/data')).rejects.toThrow(/Cannot write to the data directory \/dev\/null\/data/);
});

test('secrets are made once and readable by nobody else', () => {
  using temp = makeTempDir();
  const first = loadSecrets(temp.path, {});
  expect(first.unseenPassword).toBe(first.adminPassword);
  first.markSeen();
  const second = loadSecrets(temp.path, {});
  expect([second.adminPassword, second.jwtSecret]).toEqual([first.adminPassword, first.jwtSecret]);
  expect(second.unseenPassword).toBeUndefined();
  expect(statSync(join(temp.path, 'secrets.json')).mode & 0o777).toBe(0o600);
});

test('secrets of the environment are taken and not stored', () => {
  using temp = makeTempDir();
  const env = {
    ADMIN_PASSWORD: 'chosen password',
    JWT_SECRET: 'chosen secret',
    SERVICE_SECRET: 'another secret',
    WEBHOOK_ENCRYPTION_KEY: 'chosen key',
  };
  expect(loadSecrets(temp.path, env)).toMatchObject({
    adminPassword: 'chosen password',
    jwtSecret: 'chosen secret',
    serviceSecret: 'another secret',
    webhookEncryptionKey: 'chosen key',
  });
  expect(existsSync(join(temp.path, 'secrets.json'))).toBe(false);
});

import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { root } from './platform/paths.ts';
import { makeTempDir } from './platform/temp-dir.ts';

const proto = join(root, 'packages/proto');
const released = join(proto, 'released');
const buf = join(root, 'node_modules/.bin/buf');

/** The contract of the last release. */
function lastRelease(): string {
  const byVersion = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });
  const last = readdirSync(released).toSorted(byVersion).at(-1);
  if (!last) throw new Error(`${released} holds no release: npm run release -w packages/proto makes one`);
  return join(released, last);
}

/** What a contract breaks of the last release. @param directory with the contract and buf.yaml */
async function brokenBy(directory: string): Promise<string[]> {
  const run = promisify(execFile)(buf, ['breaking', '--against', lastRelease()], { cwd: directory });
  const { stdout } = await run.catch((failure: { stdout: string; stderr: string; code: unknown }) => {
    // 100 is what buf says of changes that it found.
    if (failure.code !== 100) throw new Error(failure.stderr);
    return failure;
  });
  return stdout.split('\n').filter(Boolean);
}

test('the contract breaks nothing that the last release promised', async () => {
  expect(await brokenBy(proto)).toEqual([]);
});

test.each([
  ['a field that is gone', / {2}string title = \d+[^;]*;/, ''],
  ['a field with another number', /( {2}string title = )\d+/, '$1999'],
  ['a field of another type', / {2}string title = /, '  int64 title = '],
  ['an endpoint that is gone', /rpc GetTaskHistory\(/, 'rpc GetHistoryOfTask('],
])(
  '%s is found',
  async (_what, pattern, instead) => {
    await using copy = makeTempDir();
    cpSync(join(proto, 'proto'), join(copy.path, 'proto'), { recursive: true });
    cpSync(join(proto, 'buf.yaml'), join(copy.path, 'buf.yaml'));
    const file = join(copy.path, 'proto/platform/v1/tasks.proto');
    const before = readFileSync(file, 'utf8');
    const after = before.replace(pattern, instead);
    expect(after).not.toBe(before);
    writeFileSync(file, after);
    expect(await brokenBy(copy.path)).not.toEqual([]);
  },
  60_000,
);

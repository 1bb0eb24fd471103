import { readlinkSync } from 'node:fs';
import { until } from '@claude-cli/shared/testing/until';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { isAlive } from '../../testing/is-alive.ts';
import { RunningProcess } from '../running-process.ts';
import { shellProgram } from '../shell.ts';
import { FrameReader, frame, jsonFrame, kinds } from './frames.mjs';
import { Spawner } from './spawner.ts';

let spawner: Spawner;
let written: string;

beforeEach(() => {
  spawner = new Spawner({ fileBytes: 1_048_576 }, { pauseMs: 500, missing: 8 });
  written = '';
});

afterEach(() => spawner[Symbol.asyncDispose]());

/** What is written is kept, but not that of a flood. */
function run(command: string, { cwd = '/', keep = true } = {}): RunningProcess {
  return new RunningProcess(spawner, {
    ...shellProgram(command),
    sandboxed: false,
    limits: {},
    cwd,
    env: { PATH: process.env.PATH },
    read: (_, text) => {
      if (keep) written += text;
    },
  });
}

test('processes are started by a program that has no environment, and limits are inherited from it', async () => {
  const ended = await run('echo $PPID; ulimit -c; ulimit -f; tr "\\\\0" " " < /proc/$PPID/environ').ended;
  expect(ended).toMatchObject({ exit_code: 0 });
  const [parent, core, blocks, environment] = written.split('\n');
  expect(Number(parent)).toBe(spawner.pid);
  expect([core, blocks]).toEqual(['0', '2048']);
  expect(environment).not.toMatch(/PATH|npm_|MONGODB/);
});

/** As another user, even if it is the same, a process is started by Node. */
const ways = { libc: {}, Node: { uid: Number(process.getuid?.()) } };

describe.each(Object.entries(ways))('a process that %s starts', (how, user) => {
  /** What it wrote, and how it ended. */
  async function runOne(command: string, { cwd = '/tmp', args = [] as string[] } = {}) {
    const own = { stdout: '', stderr: '' };
    const running = new RunningProcess(spawner, {
      ...{ file: '/bin/sh', args: ['-c', command, ...args], cwd, env: { ONE: 'ünö', TWO: '' } },
      ...{ sandboxed: false, limits: {}, ...user },
      read: (stream, text) => {
        own[stream] += text;
      },
    });
    const { exit_code, error } = await running.ended;
    return { ...own, pid: running.pid, exit_code, error };
  }

  test('has the environment and directory that were ordered, and leads a session of its own', async () => {
    const command = 'pwd; echo "$ONE|$TWO"; cut -d" " -f1,5,6 /proc/$$/stat; cat; echo $$ wrote this >&2; exit 7';
    const { pid, ...ended } = await runOne(command);
    const stdout = `/tmp\nünö|\n${pid} ${pid} ${pid}\n`;
    expect(ended).toEqual({ stdout, stderr: `${pid} wrote this\n`, exit_code: 7, error: undefined });
  });

  test('inherits neither the socket to the runner nor a signal that is blocked or ignored', async () => {
    const { stdout } = await runOne('grep -E "SigBlk|SigIgn" /proc/self/status; ls -l /proc/self/fd');
    const [blocked, ignored, ...descriptors] = stdout.split('\n');
    const usual = (line = '') => BigInt(`0x${line.split('\t')[1]}`) & 0x7fffffffn;
    expect([usual(blocked), usual(ignored)]).toEqual([0n, 0n]);
    const socket = readlinkSync(`/proc/${spawner.pid}/fd/3`);
    expect(socket).toMatch(/^socket:/);
    expect(descriptors.join('\n')).toContain(' 1 -> ');
    expect(descriptors.join('\n')).not.toContain(socket);
  });

  test('says by which signal it ended', async () => {
    expect((await runOne('kill -9 $$')).exit_code).toBe(-9);
    // Node takes the end by a signal without a name for a success.
    if (how === 'libc') expect((await runOne('kill -34 $$')).exit_code).toBe(-34);
  });

  test('says why it could not be started', async () => {
    expect(await runOne('true', { cwd: '/no/such/directory' })).toMatchObject({
      exit_code: 126,
      error: 'Cannot be started: ENOENT',
    });
    expect((await runOne('true\0false')).error).toBe('Cannot be started: ERR_INVALID_ARG_VALUE');
    expect((await runOne(`: ${'x'.repeat(200_000)}`)).error).toBe('Cannot be started: E2BIG');
    expect((await runOne('exit 3')).exit_code).toBe(3);
  });

  test('is given all that the system allows', async () => {
    const words = Array.from({ length: 10 }, () => 'x'.repeat(100_000));
    expect((await runOne('echo $# $0$9 | wc -c', { args: words })).stdout).toBe(`${200_000 + '9 \n'.length}\n`);
  });
});

test('libc starts processes on Linux', async () => {
  await run('if [ -p /dev/stdout ]; then echo pipe; else echo other; fi').ended;
  // What Node starts has a socket there.
  expect(written).toBe(process.platform === 'linux' ? 'pipe\n' : 'other\n');
});

test('one that floods, and one of whom nothing is read, hold up no other', async () => {
  const [flood, waiting] = [run('yes', { keep: false }), run('yes', { keep: false })];
  await Promise.all([flood.spawned, waiting.spawned]);
  waiting.pause();
  for (let n = 0; n < 20; n++) expect(await run(`echo ${n}`).ended).toMatchObject({ exit_code: 0 });
  expect(written).toBe(Array.from({ length: 20 }, (_, n) => `${n}\n`).join(''));
  flood.stop();
  waiting.stop();
  expect(await flood.ended).toMatchObject({ exit_code: -15 });
  waiting.resume();
  expect(await waiting.ended).toMatchObject({ exit_code: -15 });
});

test('a stop that comes before the process is there is carried out when it is', async () => {
  const sleeping = run('sleep 71');
  expect(sleeping.pid).toBeUndefined();
  expect(sleeping.stop()).toBe(true);
  expect(await sleeping.ended).toMatchObject({ exit_code: -15 });
  expect(sleeping.stop()).toBe(false);
});

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'when the spawner gets %s, its processes end with the reason and the next is started by another',
  async (signal) => {
    const sleeping = run('sleep 72 & echo up; wait');
    await until('it is up', () => written === 'up\n');
    const first = Number(spawner.pid);
    process.kill(first, signal);
    expect(await sleeping.ended).toMatchObject({
      exit_code: -9,
      error: 'The process that starts commands has died',
      cpu_seconds: null,
    });
    await until('its group is gone', () => !isAlive(Number(sleeping.pid)));
    expect(await run('exit 4').ended).toMatchObject({ exit_code: 4 });
    expect(spawner.pid).not.toBe(first);
    await until('the first is gone', () => !isAlive(first));
  },
);

test('signals to a whole process group leave the spawner alone', async () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    expect(await run('true').ended).toMatchObject({ exit_code: 0 });
    process.kill(Number(spawner.pid), signal);
  }
  const { pid } = spawner;
  expect(await run('exit 5').ended).toMatchObject({ exit_code: 5 });
  expect(spawner.pid).toBe(pid);
});

test('what was ordered is forgotten once it has ended', async () => {
  const times = await Promise.all(Array.from({ length: 30 }, (_, n) => run(`exit ${n}`).ended));
  expect(times.map(({ exit_code }) => exit_code)).toEqual(times.map((_, n) => n));
  expect(spawner.size).toBe(0);
});

test('frames are read however they are cut', () => {
  const sent = [
    frame(kinds.stdout, 7, Buffer.from('añb')),
    jsonFrame(kinds.failed, 8, { code: 'x' }),
    frame(kinds.pong, 0),
  ];
  const bytes = Buffer.concat(sent.flat());
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new FrameReader();
    const read: [number, number, string][] = [];
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size), (kind, id, payload) => read.push([kind, id, payload.toString()]));
    }
    expect(read).toEqual([
      [kinds.stdout, 7, 'añb'],
      [kinds.failed, 8, '{"code":"x"}'],
      [kinds.pong, 0, ''],
    ]);
  }
});

import { until } from '@claude-cli/shared/testing/until';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
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

test('what cannot be started says why, and others go on', async () => {
  expect(await run('true', { cwd: '/no/such/directory' }).ended).toMatchObject({
    exit_code: 126,
    error: 'Cannot be started: ENOENT',
  });
  expect(await run('exit 3').ended).toMatchObject({ exit_code: 3 });
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
